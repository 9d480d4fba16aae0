"""The exceptions that sessionmagic raises. Their messages are one line, and most of them say what to do.

SessionMagicError
├── UsageError                  an option, a subcommand or a value is not valid
│   └── PromptError             a prompt, message or attachment cannot be sent
├── SessionBusyError            another turn has claimed the session
├── SessionNotFoundError        no session has that name or id
├── SessionExistsError          another session has that name
├── StoreError                  the store cannot be read or written
│   ├── SessionUnreadableError  the session's file is damaged
│   └── SessionSchemaError      the session's file has another schema
├── AgentsFileError             an agents file cannot be read, or something in it is not valid
├── UnknownAgentError           no agent has that name
├── NoThreadsError              no thread can be started
├── ToolError                   a tool or an MCP server cannot be used
│   ├── MainThreadBusyError     the kernel's main thread cannot run the tool
│   ├── ScratchError            a scratch kernel failed, or the code that it ran
│   └── ServerDiedError         an MCP server ended during a call
├── NoResultError           a background turn has no result yet, or never will
├── SessionIdleError            the session has no running turn to send messages to
├── InboxFullError              too many messages are waiting for the running turn
├── ApprovalNotOpenError        the approval to decide on is not open
├── QuestionNotOpenError        the question to answer is not open
├── ModelReferenceError         a model reference cannot be used
└── TurnFailedError             the turn ended before the model finished its answer
    ├── ReplayError             a recording has no answer to a request
    ├── ModelRefusedError       the provider refused the model or the key
    ├── TurnTimeoutError        the turn took too long
    └── TurnLimitError          the turn made too many model requests or tool calls
"""

from __future__ import annotations


class SessionMagicError(Exception):
    """The base class of all exceptions here. A cell shows them as ``Name: message``, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(SessionMagicError):
    """An option or subcommand is unknown, or a value is not valid."""


class PromptError(UsageError):
    """A prompt or message is empty or too long, an expression in it cannot be evaluated, or a file cannot be read."""


class SessionBusyError(SessionMagicError):
    """Another turn has claimed the session. The message says which turn, and since when."""


class SessionNotFoundError(SessionMagicError):
    """No session has that name or id."""


class SessionExistsError(SessionMagicError):
    """Another session already has that name."""


class StoreError(SessionMagicError):
    """The store's directory or a file in it cannot be read or written."""


class SessionUnreadableError(StoreError):
    """The session's file is damaged. It was set aside, and its content was kept."""


class SessionSchemaError(StoreError):
    """The session's file was written by a version of sessionmagic with another schema. It was left unchanged."""


class AgentsFileError(SessionMagicError):
    """An agents file cannot be read, something in it is not valid, or an agent needs what it does not have.

    The message begins with the file and the line.
    """


class UnknownAgentError(SessionMagicError):
    """No agent has that name."""


class NoThreadsError(SessionMagicError):
    """No thread can be started, as in Pyodide, and the calling code cannot wait there; what awaits works."""


class ToolError(SessionMagicError):
    """A function cannot be offered as a tool, an MCP server cannot be used, or a tool cannot run."""


class MainThreadBusyError(ToolError):
    """The main thread cannot run a tool: another cell is running, or no cell waits for the turn."""


class ScratchError(ToolError):
    """Code in a scratch kernel failed or was stopped, or the kernel died or did not start."""


class ServerDiedError(ToolError):
    """An MCP server ended during a call."""


class NoResultError(SessionMagicError, AttributeError):
    """A background turn was asked for its result while it still ran, or it did not start."""


class SessionIdleError(SessionMagicError):
    """The session has no running turn in this process to send messages to."""


class InboxFullError(SessionMagicError):
    """Too many messages are waiting for the running turn. None of the new ones was accepted."""


class ApprovalNotOpenError(SessionMagicError):
    """No open approval has that id. It was decided on, its turn has ended, or it belongs to another process."""


class QuestionNotOpenError(SessionMagicError):
    """No open question has that id. It was answered, or its turn has ended."""


class ModelReferenceError(SessionMagicError):
    """A model reference cannot be used: its provider is unknown, or its SDK, key or weights are missing."""


class TurnFailedError(SessionMagicError):
    """The turn ended before the model finished its answer. What the model said before is kept."""


class ReplayError(TurnFailedError):
    """A recording has no answer to a request. The message has the first difference to the nearest one that it has."""


class ModelRefusedError(TurnFailedError):
    """The provider said that the model does not exist, or refused the key."""


class TurnTimeoutError(TurnFailedError):
    """The turn took longer than its timeout."""


class TurnLimitError(TurnFailedError):
    """The turn reached one of its limits. What it did is kept, and the next turn continues from there."""
