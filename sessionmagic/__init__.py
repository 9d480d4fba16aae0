"""Agent sessions in notebook cells: `%%agent` asks a model, streams the answer and remembers the conversation.

    %load_ext sessionmagic

``%%agent?`` shows the manual. Without IPython, `SessionManager().run_sync(prompt, session="name")` does the same.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from sessionmagic.agents.definition import AgentDefinition, Fallback
    from sessionmagic.agents.known import Agents
    from sessionmagic.comparing.grid import Grid, GridInterrupt
    from sessionmagic.comparing.grid_row import GridRow
    from sessionmagic.comparing.plan import GridRequest
    from sessionmagic.comparing.results import GridResults
    from sessionmagic.conversation.attachment import Attachment
    from sessionmagic.conversation.events import (
        AgentSwitched,
        ApprovalRequested,
        ApprovalResolved,
        Decision,
        Event,
        HistoryCompacted,
        InputProvided,
        InputRequested,
        LimitReached,
        MessageInjected,
        ModelAwaited,
        ModelFellBack,
        NotesChanged,
        ReasoningDelta,
        ResponseBegan,
        SubAgentFinished,
        SubAgentStarted,
        TextDelta,
        TitleChanged,
        ToolBegan,
        ToolCallDelta,
        ToolCalled,
        ToolPrinted,
        ToolReturned,
        TurnFinished,
        TurnStarted,
        TurnStatus,
        UsageReported,
        ValueDelta,
        ValueGiven,
        Warned,
    )
    from sessionmagic.conversation.session import Session, SessionSummary, TurnRecord
    from sessionmagic.conversation.tree import ROOT
    from sessionmagic.conversation.usage import RequestRecord, Usage
    from sessionmagic.exceptions import (
        AgentsFileError,
        ApprovalNotOpenError,
        InboxFullError,
        MainThreadBusyError,
        ModelReferenceError,
        ModelRefusedError,
        NoResultError,
        NoThreadsError,
        PromptError,
        QuestionNotOpenError,
        ReplayError,
        ScratchError,
        ServerDiedError,
        SessionBusyError,
        SessionExistsError,
        SessionIdleError,
        SessionMagicError,
        SessionNotFoundError,
        SessionSchemaError,
        SessionUnreadableError,
        StoreError,
        ToolError,
        TurnFailedError,
        TurnLimitError,
        TurnTimeoutError,
        UnknownAgentError,
        UsageError,
    )
    from sessionmagic.manager import SessionManager
    from sessionmagic.models.catalog import Models
    from sessionmagic.models.sources import register_model
    from sessionmagic.notebook.exports.files import export_session
    from sessionmagic.sessions.importing import import_session
    from sessionmagic.storage.memory import MemoryStore
    from sessionmagic.storage.store import Store
    from sessionmagic.storage.tiny import TinyStore
    from sessionmagic.tools.approvals import Approval
    from sessionmagic.tools.functions import Tool, tool
    from sessionmagic.tools.mcp.servers import McpServers
    from sessionmagic.tools.permissions import Limits, Safety
    from sessionmagic.tools.questions import Question
    from sessionmagic.turns.group import TurnGroup
    from sessionmagic.turns.request import Cell, Request
    from sessionmagic.turns.turn import Turn, TurnResult

__version__ = "0.1.0"

_MODULES = {
    "agents.definition": ("AgentDefinition", "Fallback"),
    "agents.known": ("Agents",),
    "comparing.grid": ("Grid", "GridInterrupt"),
    "comparing.grid_row": ("GridRow",),
    "comparing.plan": ("GridRequest",),
    "comparing.results": ("GridResults",),
    "conversation.attachment": ("Attachment",),
    "conversation.events": (
        "TurnStatus",
        "Decision",
        "AgentSwitched",
        "ApprovalRequested",
        "ApprovalResolved",
        "Event",
        "HistoryCompacted",
        "InputProvided",
        "InputRequested",
        "LimitReached",
        "MessageInjected",
        "ModelAwaited",
        "ModelFellBack",
        "NotesChanged",
        "ReasoningDelta",
        "ResponseBegan",
        "SubAgentFinished",
        "SubAgentStarted",
        "TextDelta",
        "TitleChanged",
        "ToolBegan",
        "ToolCallDelta",
        "ToolCalled",
        "ToolPrinted",
        "ToolReturned",
        "TurnFinished",
        "TurnStarted",
        "UsageReported",
        "ValueDelta",
        "ValueGiven",
        "Warned",
    ),
    "conversation.usage": ("RequestRecord", "Usage"),
    "exceptions": (
        "AgentsFileError",
        "ApprovalNotOpenError",
        "InboxFullError",
        "MainThreadBusyError",
        "ModelReferenceError",
        "ModelRefusedError",
        "NoResultError",
        "NoThreadsError",
        "PromptError",
        "QuestionNotOpenError",
        "ReplayError",
        "ScratchError",
        "ServerDiedError",
        "SessionBusyError",
        "SessionExistsError",
        "SessionIdleError",
        "SessionMagicError",
        "SessionNotFoundError",
        "SessionSchemaError",
        "SessionUnreadableError",
        "StoreError",
        "ToolError",
        "TurnFailedError",
        "TurnLimitError",
        "TurnTimeoutError",
        "UnknownAgentError",
        "UsageError",
    ),
    "conversation.session": ("Session", "SessionSummary", "TurnRecord"),
    "conversation.tree": ("ROOT",),
    "tools.approvals": ("Approval",),
    "tools.questions": ("Question",),
    "manager": ("SessionManager",),
    "models.catalog": ("Models",),
    "models.sources": ("register_model",),
    "notebook.exports.files": ("export_session",),
    "sessions.importing": ("import_session",),
    "storage.memory": ("MemoryStore",),
    "storage.store": ("Store",),
    "storage.tiny": ("TinyStore",),
    "tools.functions": ("Tool", "tool"),
    "tools.mcp.servers": ("McpServers",),
    "tools.permissions": ("Safety", "Limits"),
    "turns.group": ("TurnGroup",),
    "turns.request": ("Cell", "Request"),
    "turns.turn": ("Turn", "TurnResult"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "ROOT",
    "AgentDefinition",
    "AgentSwitched",
    "Agents",
    "AgentsFileError",
    "Approval",
    "ApprovalNotOpenError",
    "ApprovalRequested",
    "ApprovalResolved",
    "Attachment",
    "Cell",
    "Decision",
    "Event",
    "Fallback",
    "Grid",
    "GridInterrupt",
    "GridRequest",
    "GridResults",
    "GridRow",
    "HistoryCompacted",
    "InboxFullError",
    "InputProvided",
    "InputRequested",
    "LimitReached",
    "Limits",
    "MainThreadBusyError",
    "McpServers",
    "MemoryStore",
    "MessageInjected",
    "ModelAwaited",
    "ModelFellBack",
    "ModelReferenceError",
    "ModelRefusedError",
    "Models",
    "NoResultError",
    "NoThreadsError",
    "NotesChanged",
    "PromptError",
    "Question",
    "QuestionNotOpenError",
    "ReasoningDelta",
    "ReplayError",
    "Request",
    "RequestRecord",
    "ResponseBegan",
    "Safety",
    "ScratchError",
    "ServerDiedError",
    "Session",
    "SessionBusyError",
    "SessionExistsError",
    "SessionIdleError",
    "SessionMagicError",
    "SessionManager",
    "SessionNotFoundError",
    "SessionSchemaError",
    "SessionSummary",
    "SessionUnreadableError",
    "Store",
    "StoreError",
    "SubAgentFinished",
    "SubAgentStarted",
    "TextDelta",
    "TinyStore",
    "TitleChanged",
    "Tool",
    "ToolBegan",
    "ToolCallDelta",
    "ToolCalled",
    "ToolError",
    "ToolPrinted",
    "ToolReturned",
    "Turn",
    "TurnFailedError",
    "TurnFinished",
    "TurnGroup",
    "TurnLimitError",
    "TurnRecord",
    "TurnResult",
    "TurnStarted",
    "TurnStatus",
    "TurnTimeoutError",
    "UnknownAgentError",
    "Usage",
    "UsageError",
    "UsageReported",
    "ValueDelta",
    "ValueGiven",
    "Warned",
    "export_session",
    "import_session",
    "load_ipython_extension",
    "register_model",
    "tool",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that loading the extension imports nothing heavy."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return [*globals(), *_HOMES]


def load_ipython_extension(shell: InteractiveShell) -> None:  # pragma: no cover  called in kernels
    """Register ``%%agent`` and ``%agent``; ``%load_ext sessionmagic`` calls this."""
    from sessionmagic.notebook.extension import load

    load(shell)
