"""Everything that sessionmagic raises on purpose, each with a one-line message that says what to do.

SessionMagicError
├── UsageError                  a magic was written wrongly: option, subcommand, value
│   └── PromptError             the prompt is empty, or an expression in it cannot be evaluated
├── SessionBusyError            another turn holds the session
├── SessionNotFoundError        no session of that name or id
├── SessionExistsError          a session of that name is there already
├── StoreError                  the store cannot be read or written
│   ├── SessionUnreadableError  the session's file is damaged; it was set aside
│   └── SessionSchemaError      the session's file has another schema; it was left alone
├── UnknownAgentError           no agent of that name
├── ToolError                   something that cannot be offered as a tool, or cannot run here
│   ├── MainThreadBusyError     the kernel has no time for it
│   ├── ScratchError            its scratch kernel failed, or its code did there
│   └── ServerDiedError         its MCP server ended in the middle of a call
├── SessionIdleError            no turn runs on the session that could be steered
├── InboxFullError              as many messages wait for a running turn as may
├── ApprovalNotOpenError        a decision on an approval that is not open (any more)
├── QuestionNotOpenError        an answer to a server's question that is not open (any more)
├── ModelReferenceError         a model reference that cannot be used
└── TurnFailedError             the model did not finish its answer
    ├── ModelRefusedError       unknown model, or a key that the provider refuses
    ├── TurnTimeoutError        the turn took longer than it was given
    └── TurnLimitError          the turn made as many requests or tool calls as it may
"""

from __future__ import annotations


class SessionMagicError(Exception):
    """Base of every error raised on purpose. Shows in a cell as ``Name: message``, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(SessionMagicError):
    """A magic was written wrongly: an unknown option or subcommand, or a value that does not fit."""


class PromptError(UsageError):
    """The prompt is empty, or an expression in it cannot be evaluated."""


class SessionBusyError(SessionMagicError):
    """Another turn holds the session; the message names the session, the holder and since when."""


class SessionNotFoundError(SessionMagicError):
    """No session has that name or id."""


class SessionExistsError(SessionMagicError):
    """A session of that name is there already."""


class StoreError(SessionMagicError):
    """The store's directory or a file in it cannot be read or written."""


class SessionUnreadableError(StoreError):
    """The session's file is damaged; it was set aside, and nothing was overwritten."""


class SessionSchemaError(StoreError):
    """The session's file was written by a sessionmagic with another schema; it was left as it is."""


class UnknownAgentError(SessionMagicError):
    """No agent has that name."""


class ToolError(SessionMagicError):
    """Something cannot be offered as a tool, such as a function whose arguments cannot be described; or cannot run."""


class MainThreadBusyError(ToolError):
    """The main thread has no time for the work: another cell runs, or nothing serves it."""


class ScratchError(ToolError):
    """Code in a scratch kernel raised something or was stopped, or its kernel died or did not start."""


class ServerDiedError(ToolError):
    """A call has ended its MCP server."""


class SessionIdleError(SessionMagicError):
    """No turn runs on the session here, so that there is nothing to steer."""


class InboxFullError(SessionMagicError):
    """As many messages wait for the running turn as may; none of the new ones was taken."""


class ApprovalNotOpenError(SessionMagicError):
    """No open approval has that id: it was resolved, its turn has ended, or another kernel asks for it."""


class QuestionNotOpenError(SessionMagicError):
    """No open question of a server's has that id: it was answered, or its turn has ended."""


class ModelReferenceError(SessionMagicError):
    """A model reference that cannot be used: unknown provider, missing SDK, key, weights or path."""


class TurnFailedError(SessionMagicError):
    """The model did not finish its answer; what it said until then is kept."""


class ModelRefusedError(TurnFailedError):
    """The provider says that the model does not exist, or refuses the key."""


class TurnTimeoutError(TurnFailedError):
    """The turn took longer than ``--timeout`` allows."""


class TurnLimitError(TurnFailedError):
    """The turn made as many model requests or tool calls as it may; what it did is kept, and can be gone on from."""
