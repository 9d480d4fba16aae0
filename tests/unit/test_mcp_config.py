"""What may be written about MCP servers, in a file or in a call."""

import asyncio
import json
import re
import shlex
import sys

import pytest

from sessionmagic.exceptions import ToolError
from sessionmagic.keys.cleaning import LEFT_OUT, without_keys
from sessionmagic.keys.known import KNOWN
from sessionmagic.tools.mcp.config import model_name, server_config
from sessionmagic.tools.mcp.servers import McpServers


@pytest.fixture
def file(tmp_path):
    return tmp_path / "mcp.json"


def test_servers_of_a_file_are_added_with_their_variables_filled_in(file, monkeypatch):
    monkeypatch.setenv("WHERE", "/data")
    monkeypatch.setenv("SESAME", "open-sesame")
    monkeypatch.delenv("NOWHERE", raising=False)
    files = {"command": "npx", "args": ["-y", "files", "${WHERE}/in"], "env": {"MODE": "${NOWHERE:-read}", "N": "${"}}
    web = {"type": "http", "url": "https://web.example/mcp?key=${SESAME}", "headers": {"X-Key": "Key ${SESAME}"}}
    off = {"command": "${UNSET}", "disabled": True}
    written = {"mcpServers": {"files": files | {"autoApprove": ["x"], "cwd": None}, "web": web, "off": off}}
    file.write_text(json.dumps(written), encoding="utf-8-sig")
    servers = McpServers()
    assert servers.load(file) == ["files", "web"]
    assert servers.names == ["files", "web"]
    config = servers._servers["files"].config
    assert (config.command, config.args, config.env) == (
        "npx",
        ["-y", "files", "/data/in"],
        {"MODE": "read", "N": "${"},
    )
    config = servers._servers["web"].config
    assert (config.url, config.headers) == ("https://web.example/mcp?key=open-sesame", {"X-Key": "Key open-sesame"})
    assert config.redacted("no open-sesame here") == "no [key left out] here"
    assert [(server.name, server.where, server.status) for server in servers.listing()] == [
        ("files", "npx -y files ${WHERE}/in", "not started"),
        ("web", "https://web.example/mcp", "not started"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read (No such file or directory); name a JSON file with mcpServers"),
        ("{'mcpServers': 1}", "is not valid JSON (Expecting property name enclosed in double quotes); correct line 1"),
        ("\0\0", "is not valid JSON"),
        (b"\xff\xfe\xff", "is not valid JSON; name a JSON file with mcpServers"),
        ("[" * 100_000, "is not valid JSON; name a JSON file with mcpServers"),
        ("[]", "has no mcpServers; write"),
        ('{"servers": {}}', "has no mcpServers; write"),
        ('{"mcpServers": []}', "has no mcpServers; write"),
        ('{"mcpServers": {"a": 1}}', "MCP server 'a' is not an object"),
        ('{"mcpServers": {"a": {}}}', "MCP server 'a' needs a command or a url, but not both"),
        ('{"mcpServers": {"a": {"command": "x", "url": "http://x"}}}', "needs a command or a url, but not both"),
        ('{"mcpServers": {"a": {"command": ["x"]}}}', "has an invalid 'command'; it must be a non-empty string"),
        ('{"mcpServers": {"a": {"command": "x", "args": "y"}}}', "has an invalid 'args'; it must be a list of strings"),
        (
            '{"mcpServers": {"a": {"command": "x", "env": {"PORT": 1}}}}',
            "has an invalid 'env'; it must be an object of strings",
        ),
        ('{"mcpServers": {"a": {"url": "ftp://x"}}}', "has an invalid url; use an http or https address"),
        ('{"mcpServers": {"a": {"url": "http://[x"}}}', "has an invalid url; use an http or https address"),
        ('{"mcpServers": {"a": {"url": "http://x:y"}}}', "has an invalid url; use an http or https address"),
        (
            '{"mcpServers": {"a": {"command": "x", "type": "http"}}}',
            "has the wrong type 'http'; use stdio for a command",
        ),
        (
            '{"mcpServers": {"a": {"command": "x", "disabled": "true"}}}',
            "has an invalid 'disabled'; it must be true or false",
        ),
        ('{"mcpServers": {"a": {"command": "x", "enabled": 0}}}', "has an invalid 'enabled'; it must be true or false"),
        ('{"mcpServers": {"a": {"command": "x", "type": {}}}}', "has the wrong type {}; use stdio for a command"),
        ('{"mcpServers": {"a\\nb": {"command": "x"}}}', "MCP server 'a\\nb' has an invalid name"),
        (
            '{"mcpServers": {"ok": {"command": "x"}, "a": {"command": "${UNSET_VAR}"}}}',
            "MCP server 'a' uses the variable UNSET_VAR, which is not set; set it, or write ${UNSET_VAR:-DEFAULT}",
        ),
    ],
)
def test_file_that_cannot_be_used_is_named_in_one_line_and_adds_nothing(file, text, words):
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    servers = McpServers()
    with pytest.raises(ToolError) as raised:
        servers.load(file)
    assert str(raised.value).startswith(str(file))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    assert servers.names == []


@pytest.mark.parametrize(
    ("switch", "added"),
    [
        ({"disabled": True}, []),
        ({"enabled": False}, []),
        ({"disabled": False, "enabled": False}, []),
        ({"disabled": False}, ["a"]),
        ({"enabled": True, "disabled": None}, ["a"]),
    ],
)
def test_server_of_a_file_that_is_switched_off_is_left_out(file, switch, added):
    file.write_text(json.dumps({"mcpServers": {"a": {"command": "x"} | switch}}))
    assert McpServers().load(file) == added


def test_directory_is_no_file_of_servers(tmp_path):
    with pytest.raises(ToolError, match="cannot be read"):
        McpServers().load(tmp_path)


@pytest.mark.parametrize(
    ("config", "sse"),
    [
        ({"url": "https://x/sse"}, True),
        ({"url": "https://x/sse/"}, True),
        ({"url": "https://x/mcp"}, False),
        ({"url": "https://x/sse", "type": "http"}, False),
        ({"url": "https://x/mcp", "type": "sse"}, True),
    ],
)
def test_type_or_else_the_address_says_how_to_speak_with_a_server(config, sse):
    assert server_config("web", config).sse is sse


def test_missing_library_is_an_error_that_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastmcp", None)
    servers = McpServers()
    with pytest.raises(ToolError, match=r'pip install "sessionmagic\[mcp\]"'):
        servers.add("files", {"command": "npx"})
    assert servers.names == []


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("cmd --api-key sk-12345 --port 3", "cmd --api-key … --port 3"),
        ("cmd --API_KEY=sk-12345 x", "cmd --API_KEY=… x"),
        ("cmd -token -sk-12345", "cmd -token …"),
        ("cmd --client-secret sk-12345", "cmd --client-secret …"),
        ("cmd --db.password sk-12345", "cmd --db.password …"),
        ("cmd --credentials sk-12345", "cmd --credentials …"),
        ("docker run -e GITHUB_TOKEN=sk-12345 image", "docker run -e GITHUB_TOKEN=… image"),
        ("cmd --header 'Authorization: Bearer sk-12345' x", "cmd --header Authorization: … x"),
        ('cmd --config \'{"apiKey": "sk-12345"}\' x', 'cmd --config {"apiKey": … x'),
        ("cmd postgresql://me:sk-12345@host:5432/db", "cmd postgresql://…@host:5432/db"),
        ("cmd postgresql://me:sk-12345/1@2@host/db", "cmd postgresql://…@host/db"),
        ("cmd --url=https://sk-12345@host/a?v=sk-12345&sk-12345#sk-12345 x", "cmd --url=https://…@host/a?v=…&…#… x"),
        ("cmd --use-keyring --auth --port 3", "cmd --use-keyring --auth --port 3"),
        ("npx -y key-server https://esm.sh/react@18", "npx -y key-server https://esm.sh/react@18"),
        ("https://me:sk-12345@host/mcp?v=sk-12345#sk-12345", "https://host/mcp"),
        ("${SCHEME}://me:sk-12345@host/mcp?v=sk-12345", "${SCHEME}://…@host/mcp?v=…"),
    ],
)
def test_secrets_of_a_command_or_an_address_are_shown_nowhere(words, shown, monkeypatch):
    monkeypatch.setenv("SCHEME", "https")
    command, *args = shlex.split(words)
    servers = McpServers()
    servers.add("x", {"command": command, "args": args} if args else {"url": command})
    [listed] = servers.listing()
    assert listed.where == shown
    assert "sk-12345" not in servers._servers["x"].config.redacted(f"401 for {' '.join([command, *args])}")


def test_secret_is_taken_out_of_messages_without_what_stood_around_it():
    for secret in ("Authorization: Bearer sk-12345", '{"apiKey": "sk-12345", "n": 1}', "https://me:sk-12345@host"):
        config = server_config("x", {"command": "cmd", "args": [secret]})
        assert config.redacted("sk-12345 is no key") == "[key left out] is no key"


def test_keys_of_the_process_are_shown_nowhere(monkeypatch):
    monkeypatch.setenv("THEIR_TOKEN", "0123456789")
    config = server_config("x", {"command": "cmd", "args": ["0123456789"]})
    assert config.shown == "cmd [key left out]"
    assert config.redacted("no 0123456789") == "no [key left out]"


def test_secret_that_begins_with_another_is_taken_out_whole(monkeypatch):
    monkeypatch.setenv("A_KEY", "abcdefgh")
    monkeypatch.setenv("B_KEY", "abcdefgh-production-99")
    config = server_config("x", {"command": "cmd", "env": {"C": "abcdefgh-production"}})
    assert (
        config.redacted("abcdefgh-production-99, abcdefgh-production, abcdefgh")
        == "[key left out], [key left out], [key left out]"
    )


def test_failure_to_list_tools_is_said_without_secrets(monkeypatch):
    servers = McpServers()
    servers.add("x", {"url": "https://host/mcp?key=sk-0123456789"})

    async def fails():
        raise ValueError("401 for https://host/mcp?key=sk-0123456789")

    monkeypatch.setattr(servers._servers["x"], "_list_tools", fails)
    assert asyncio.run(servers._servers["x"].ready_tools()) == ([], "401 for https://host/mcp?key=[key left out]")


def test_names_for_models_are_of_letters_that_every_provider_takes():
    assert model_name("files", "read") == "files__read"
    odd = [("@org/files", "read.all\u202e"), ("1st", "go"), ("a" * 60, "b" * 60)]
    for server, tool in odd:
        name = model_name(server, tool)
        assert re.fullmatch("[A-Za-z_][A-Za-z0-9_-]*", name)
        assert len(name) <= 64


@pytest.mark.parametrize("server", ["files", "my-files", "my_files", "@org/files", "a__b", "f" * 60, "-", ""])
@pytest.mark.parametrize("tool", ["read", "_read", "read__all", "9", "<b>\u202e", "r" * 80, "", "_", "\ud800"])
def test_rule_for_all_tools_of_a_server_holds_for_each_whatever_it_is_called(server, tool):
    prefix = model_name(server, "read").removesuffix("read")
    assert prefix == "files__" if server == "files" else prefix.endswith("__")
    assert model_name(server, tool).startswith(prefix)
    assert len(model_name(server, tool)) <= 64


def test_no_two_tools_have_the_same_name():
    tools = [("a", "b_c"), ("a_b", "c"), ("a", "_b"), ("a_", "b"), ("a_", "_b"), ("a__b", "c"), ("a", "b__c")]
    tools += [("x.y", "z"), ("x/y", "z"), ("s" * 60, "t" * 40 + "1"), ("s" * 60, "t" * 40 + "2")]
    assert len({model_name(*each) for each in tools}) == len(tools)


def test_only_keys_of_a_server_are_left_out_of_other_texts(monkeypatch):
    monkeypatch.setattr(KNOWN, "names", {})
    monkeypatch.setenv("GIVEN", "open-rye")
    server_config(
        "db",
        {
            "command": "serve",
            "args": ["--root", "/home/me/data2", "postgresql://bob:hunter2xyz@localhost:5432/sales"],
            "env": {"PGHOST": "warehouse-host", "NODE_ENV": "production", "MY_API_KEY": "open-sesame", "P": "${GIVEN}"},
        },
    )
    headers = {"Authorization": "Bearer open-barley", "Accept": "application/json", "X-Api-Key": "open-wheat"}
    server_config("web", {"url": "https://web.example/mcp", "headers": headers})
    text = "hunter2xyz open-sesame open-barley open-wheat open-rye"
    assert without_keys(text) == " ".join([LEFT_OUT] * 5)
    text = "localhost warehouse-host production application/json /home/me/data2 sales"
    assert without_keys(text) == text


def test_variables_are_left_as_they_are_where_they_were_filled_in_before(monkeypatch):
    monkeypatch.setenv("PLACE", "elsewhere")
    config = server_config("web", {"command": "serve", "env": {"TEXT": "${PLACE} and ${MISSING}"}}, fill=False)
    assert config.env == {"TEXT": "${PLACE} and ${MISSING}"}
