"""Which front end runs a cell is told from facts about its request; the requests here were seen in real front ends."""

import pytest

from sessionmagic.notebook import recognition
from sessionmagic.notebook.recognition import (
    CONSOLE,
    LITE,
    PAGE,
    PLAIN_PAGE,
    RUNNER,
    SERVER,
    SHARED_PAGE,
    SHELL,
    TERMINAL,
    UNKNOWN,
    UNWATCHED_SERVER,
    WATCHED_SERVER,
    Evidence,
    Recognized,
    recognized,
)

KINDS = [kind for kind in vars(recognition).values() if isinstance(kind, Recognized)]
OF_CLIENT = "e7c4ce55-315a62f2113f8f5963b163d4_8211_3"
OF_PAGE = "5a1f3b60-6c0e-4f0b-9f0e-6b8f4d0f5a11"
OF_CLASSIC = "8F4C2A6D0B1E4C3F9A7D5E2B6C8F0A1D"


@pytest.mark.parametrize(
    ("evidence", "kind"),
    [
        pytest.param(
            {"metadata": {"cellId", "deletedCells", "recordTiming"}, "message_id": OF_PAGE}, PAGE, id="JupyterLab"
        ),
        pytest.param(
            {"metadata": {"cellId"}, "message_id": OF_PAGE, "in_server": True, "collaborates": True},
            SHARED_PAGE,
            id="JupyterLab with jupyter-collaboration",
        ),
        pytest.param(
            {"metadata": {"cellId"}, "message_id": OF_PAGE, "collaborates": True},
            PAGE,
            id="VS Code, where jupyter-collaboration is installed",
        ),
        pytest.param({"metadata": {"cellId"}, "message_id": OF_PAGE}, PAGE, id="VS Code"),
        pytest.param({"metadata": {"cellId"}, "message_id": OF_PAGE, "refuses_widgets": True}, PLAIN_PAGE, id="RISE"),
        pytest.param({"message_id": OF_CLASSIC}, PAGE, id="nbclassic"),
        pytest.param({"message_id": OF_PAGE, "hosted": True}, PAGE, id="Colab"),
        pytest.param({"message_id": OF_PAGE}, UNKNOWN, id="a client of another kind"),
        pytest.param({"message_id": "1"}, UNKNOWN, id="odd ids"),
        pytest.param(
            {"message_id": OF_CLIENT, "started_by": "8211"}, CONSOLE, id="jupyter console, qtconsole, euporie"
        ),
        pytest.param(
            {"message_id": OF_CLIENT, "started_by": "99", "in_server": True}, CONSOLE, id="a console on a page's kernel"
        ),
        pytest.param(
            {"message_id": OF_CLIENT, "started_by": "8211", "in_server": True}, SERVER, id="jupyter-server-nbmodel"
        ),
        pytest.param({"message_id": OF_CLIENT, "started_by": "8211", "takes_input": False}, RUNNER, id="nbclient"),
        pytest.param(
            {"message_id": OF_CLIENT, "started_by": "8211", "takes_input": False, "wants_buttons": True},
            RUNNER,
            id="a runner of a notebook that asks for buttons",
        ),
        pytest.param(
            {"message_id": OF_CLIENT, "started_by": "8211", "in_server": True, "takes_input": False},
            UNWATCHED_SERVER,
            id="jupyter-server-documents",
        ),
        pytest.param(
            {
                "message_id": OF_CLIENT,
                "started_by": "8211",
                "in_server": True,
                "takes_input": False,
                "wants_buttons": True,
            },
            WATCHED_SERVER,
            id="jupyter-server-documents with buttons",
        ),
        pytest.param({"takes_input": False, "message_id": ""}, RUNNER, id="no request at all"),
    ],
)
def test_front_end_of_a_kernel(evidence, kind):
    assert recognized(Evidence("kernel", **{"takes_input": True} | evidence)) is kind


@pytest.mark.parametrize(("collaborates", "kind"), [(False, SERVER), (True, WATCHED_SERVER)])
def test_buttons_are_not_shown_where_nothing_is_shown_before_a_turn_ends(collaborates, kind):
    told = {"takes_input": True, "message_id": OF_CLIENT, "started_by": "8211", "in_server": True}
    assert recognized(Evidence("kernel", wants_buttons=True, collaborates=collaborates, **told)) is kind


def test_only_a_terminal_is_a_terminal():
    assert recognized(Evidence("terminal")) is TERMINAL
    assert recognized(Evidence("other")) is SHELL
    assert recognized(Evidence("lite")) is LITE


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_front_end_waits_for_an_answer_that_cannot_come(kind):
    assert kind.asks != "page" or kind.view == "widgets"
    assert kind.asks == "nobody" or kind.live or kind.asks == "stdin"
