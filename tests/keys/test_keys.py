import base64
import hashlib
import json
import os
import random
import string
import threading
import uuid
from urllib.parse import quote

import pytest
from pydantic_ai.messages import BinaryContent, ModelMessagesTypeAdapter, ModelRequest, UserPromptPart

from sessionmagic.conversation.session import title_of
from sessionmagic.keys.cleaning import LEFT_OUT, messages_without_keys, without_keys, without_keys_in
from sessionmagic.keys.known import KNOWN, KnownKeys, names_a_key
from sessionmagic.keys.streaming import StreamedText
from sessionmagic.words import between_words, shortened

_random = random.Random(5)
_SIGNS = string.ascii_letters + string.digits
_UPPER = string.ascii_uppercase + "234567"


def signs(number, among=_SIGNS):
    return "".join(_random.choice(among) for _ in range(number))


SHAPED = {
    "OpenAI": f"sk-proj-{signs(74)}T3BlbkFJ{signs(74)}",
    "Anthropic": f"sk-ant-api03-{signs(93)}AA",
    "a gateway": f"sk-{signs(24)}1",
    "OpenRouter": f"sk-or-v1-{signs(64, '0123456789abcdef')}",
    "Google": f"AIza{signs(35)}",
    "Groq": f"gsk_{signs(52)}",
    "Hugging Face": f"hf_{signs(34, string.ascii_letters)}",
    "GitHub": f"ghp_{signs(36)}",
    "GitLab": f"glpat-{signs(20)}",
    "AWS": f"AKIA{signs(16, _UPPER)}",
    "Slack": f"xoxb-{signs(12, string.digits)}-{signs(12, string.digits)}-{signs(24)}",
    "Stripe": f"sk_live_{signs(24)}",
    "npm": f"npm_{signs(36)}",
    "PEM": f"-----BEGIN RSA PRIVATE KEY-----\n{signs(64)}\n{signs(64)}\n-----END RSA PRIVATE KEY-----",
}
MARKED = [
    ('password = "{}"', "tok-secret-key19"),
    ('api_key = "{}"', "abcd1234efgh5678"),
    ('OpenAI(api_key="{}", timeout=3)', "abcd1234efgh5678"),
    ('os.environ["MY_API_KEY"] = "{}"', "abcd1234efgh"),
    ("{{'client_secret': '{}'}}", "abcd1234efgh"),
    ('{{"password": "{}"}}', "swordfish"),
    ('password: str = "{}"', "hunter2"),
    ('if password == "{}":', "hunter2"),
    ("PASSWORD: {}", "hunter22"),
    ("export DB_PASSWORD={}", "s3cr3tpw"),
    ('apiKey: "{}"', "a1b2c3d4e5f6"),
    ("mysql --password {} --port 3", "hunter2xyz"),
    ("https://host/x?token={}&page=1", "abc123def9"),
    ("postgres://alice:{}@db.corp:5432/x", "pw"),
    ("redis://:{}@host:6379/0", "s3cret"),
    ("postgres://u:{}@host", "p/w"),
    ("Authorization: Bearer {}", "abcdefgh0123456789"),
    ("{{'Authorization': 'Token {}'}}", "abcdefgh0123456789"),
    ('headers = {{"Authorization": "{}"}}', "abcdefgh0123456789"),
    ("db:\n  password: {}\n  user: x", "hunter2xyz"),
    ("[db]\npassword={}\n", "hunter2"),
    ("Server=h;User Id=u;Password={};", "hunter2xyz"),
    ("DB_PASS={}", "hunter2xyz"),
    ("pass={}", "hunter2xyz"),
    ('pw = "{}"', "hunter2xyz"),
    ('password = """{}"""', "hunter2xyz"),
    ('password = "{}"', "Password123!"),
    ("my password is {}.", "hunter2xyz"),
    ("the api key is {}", "abcd1234efgh5678"),
    ("**Password:** {}", "hunter2xyz"),
    ("Passwort: {}", "hunter2xyz"),
    ("<password>{}</password>", "hunter2xyz"),
    ('os.getenv("API_KEY", "{}")', "abcd1234efgh"),
    ("%env DB_PASSWORD {}", "hunter2xyz"),
    ("machine x login y password {}", "hunter2xyz"),
    ('{{"name": "DB_PASSWORD", "value": "{}"}}', "hunter2xyz"),
    ("https://x.blob.core.windows.net/c?sv=2020-08-04&sig={}", "xpUU2754KzeV9ZAymWnyEmWa%3D"),
]
LEFT_ALONE = [
    "password = 12345678",
    "password = config.apiKey",
    'os.environ["OPENAI_API_KEY"]',
    'api_key = os.getenv("OPENAI_API_KEY")',
    "api_key=None",
    "password = getpass()",
    "password = args.password",
    "token = tokens[0]",
    "client = OpenAI(api_key=api_key)",
    'api_key="YOUR_API_KEY"',
    'api_key = "OPENAI_API_KEY"',
    'password = ""',
    "def login(user: str, password: str) -> None:",
    "PASSWORD=${DB_PASSWORD}",
    "token={token}",
    "max_tokens=500, usage={'input_tokens': 1234}",
    "AutoTokenizer.from_pretrained('gpt2', pad_token='<pad>')",
    '"next_page_token": "CAUQAA1234"',
    "df.groupby('key').sum(); primary_key = 'customer_id2'",
    "The password is wrong, and the secret: read more.",
    "http://localhost:8888/lab/tree/a@b.ipynb",
    "postgres://{user}:{password}@host",
    "git@github.com:owner/repo.git",
    hashlib.sha256(b"x").hexdigest()[:40],
    hashlib.sha256(b"x").hexdigest(),
    f"sha512-{base64.b64encode(_random.randbytes(64)).decode()}",
    str(uuid.UUID(int=_random.getrandbits(128))),
    "3.14159265358979323846264338327950288419716939937510",
    f"![](data:image/png;base64,{base64.b64encode(_random.randbytes(3000)).decode()})",
    '<div id="sk-container-id-1" class="sk-top-container">',
    "/usr/lib/python3.11/site-packages/pandas/core/frame.py",
    "PWD=/home/user/project1",
    '{"token": "McDonald", "pos": "NNP"}, {"token": "iPhone15Pro", "score": 0.2}',
    'if token == "BeautifulSoup": pass',
    "def f(token: Token2Vec, private_key: Ed25519PrivateKey) -> _FragList: ...",
    "class Settings:\n    api_key: Base64Str\n    password: SecretStr\n    token: str50\n",
    'GOOGLE_CREDENTIALS = "path/to/credentials1.json"',
    'META_KEY = "io.modelcontextprotocol/protocolVersion2"',
    'secret = "attention-2"; the secret is Attention2!',
    "The token is iPhone15, the password is sha256-hashed, and the key is 12.",
    "bearer token_authentication_v2_required",
    "http://user:pass@example.com and https://user:password@example.com",
    "{'password': 'object', 'api_key': 'varchar(64)', 'token': 'int64'}",
    "n_pass = 3; low_pass = 'butter4x'; PASS: test_some_thing_2",
    "bypass=True2x, compass: North1234",
    "token = tokenizer(text); df.sort_values(key=lambda r: r.x)",
    "t.ProgressToken=t.createMessageConnection=t.NullLogger=void 0",
    "rust.hpke.MLKEM768X25519PrivateKey = other.hpke.MLKEM768X25519PrivateKey",
]


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    monkeypatch.setattr(KNOWN, "names", dict(KNOWN.names))


@pytest.mark.parametrize("key", SHAPED.values(), ids=SHAPED)
@pytest.mark.parametrize("text", ["{}", "use {}.", "(see {})", '["{}"]', "a: {}, b"])
def test_key_with_a_known_shape_is_left_out(text, key):
    assert without_keys(text.format(key)) == text.format(LEFT_OUT)


@pytest.mark.parametrize("key", SHAPED.values(), ids=SHAPED)
def test_key_is_found_between_other_signs(key):
    begins = ["", "<", "[", "{", "/", "#", "*", "**", "_", "`", "“", "«", "是", "-", "x\\n", "\x1b[32m", "a:", "key="]
    ends = [
        "",
        "!",
        "?",
        ":",
        ";",
        ">",
        ".",
        '."',
        '."}',
        "]",
        "}",
        "/",
        "**",
        "_",
        "`",
        "”",
        "…",
        "—x",
        "吗",
        "\\n",
        "&x",
    ]
    for begin in begins:
        for end in ends:
            assert key not in without_keys(f"{begin}{key}{end}"), (begin, end)


@pytest.mark.parametrize(("text", "secret"), MARKED)
def test_secret_that_a_text_marks_as_such_is_left_out(text, secret):
    cleaned = without_keys(text.format(secret))
    assert cleaned == text.format(LEFT_OUT)
    assert without_keys(cleaned) == cleaned


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_ordinary_text_and_code_about_keys_are_left_alone(text):
    assert without_keys(text) == text
    assert without_keys_in([json.dumps({"text": text})]) == [json.dumps({"text": text})]


def test_password_in_an_address_is_left_alone_where_it_is_an_ordinary_word():
    code = "from x.postgresql import y\nurl = 'postgres://postgres:{}@localhost/x'\ndef f():\n    pass"
    assert without_keys(code.format("postgres")) == code.format(LEFT_OUT)
    assert without_keys("url = 'redis://u:pass@h'\npass") == "url = 'redis://u:pass@h'\npass"


def test_private_key_is_left_out_where_its_end_was_cut():
    begin, _, lines = SHAPED["PEM"].partition("\n")
    lines = lines.partition("\n-----END")[0]
    for text in ("{}", "{}\n[cut: 99 characters]\nmore", "{}\nAbc"):
        for head in ("", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB\n\n"):
            cleaned = without_keys(text.format(f"{begin}\n{head}{lines}"))
            assert cleaned == text.removesuffix("\nAbc").format(LEFT_OUT)
    end = "-----END RSA PRIVATE KEY-----"
    assert (
        without_keys(f"[cut: 99 characters]\n{lines}\nAbc=\n{end}\nmore") == f"[cut: 99 characters]\n{LEFT_OUT}\nmore"
    )
    for text in (f"{begin} begins a file", f"a file ends with\n{end}"):
        assert without_keys(text) == text


def test_value_is_known_after_it_has_left_the_environment(monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", "correct horse battery")
    monkeypatch.setenv("DATABASE_URL", "postgres://me:open-sesame@host/db")
    KNOWN.look()
    monkeypatch.delenv("DB_PASSWORD")
    monkeypatch.delenv("DATABASE_URL")
    assert without_keys("say correct horse battery, open-sesame") == f"say {LEFT_OUT}, {LEFT_OUT}"


def test_known_value_is_found_in_the_forms_that_texts_give_it():
    value = 'p"w\\x é\n12'
    KNOWN.add(value + "\n")
    for text in (value, json.dumps(value), json.dumps(value, ensure_ascii=False), repr([value]), quote(value, safe="")):
        assert "12" not in without_keys(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [("swordfish", "swordfishes are {} here"), ("12345678", "0.12345678 is {}. 9.123456781"), ("wort-mit-12", "x{}y")],
)
def test_known_word_or_number_is_left_alone_within_a_longer_one(value, text):
    KNOWN.add(value)
    assert without_keys(text.format(value)) == text.format(LEFT_OUT)


def test_public_defaults_names_of_users_and_paths_are_not_keys(tmp_path):
    (tmp_path / "key").touch()
    known = KnownKeys(
        {
            "POSTGRES_PASSWORD": "postgres",
            "DB_USER": "warehouse",
            "DB_PASSWORD": "warehouse",
            "GOOGLE_APPLICATION_CREDENTIALS": "/home/me/account.json",
            "TLS_KEY": str(tmp_path / "key"),
            "OPENAI_API_KEY": "lm-studio",
        }
    )
    known.look()
    known.add("not-needed")
    assert known.names == {}


@pytest.mark.parametrize("name", ["OPENAI_KEY_2", "API_KEY1", "MYSQL_PWD", "GITHUB_PAT", "apiKey_TOKEN"])
def test_name_with_a_number_or_an_abbreviation_names_a_key(name):
    assert names_a_key(name)


def test_environment_may_change_while_it_is_looked_at(monkeypatch):
    known = KnownKeys()
    stop = threading.Event()

    def change():
        while not stop.is_set():
            os.environ["SOME_NAME"] = "x"
            del os.environ["SOME_NAME"]

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for number in range(300):
            monkeypatch.setenv("SOME_TOKEN", f"value-{number:04}")
            known.look()
            assert f"value-{number:04}" in known.names
    finally:
        stop.set()
        changing.join()


def test_longer_key_is_left_out_before_one_that_it_begins_with():
    known = KnownKeys({"A_KEY": "abcdefgh", "B_KEY": "abcdefgh-more"})
    known.look()
    assert list(known.names) == ["abcdefgh-more", "abcdefgh"]


def test_short_values_and_other_variables_are_not_keys():
    known = KnownKeys(
        {"A_KEY": "short", "TOKENIZERS_PARALLELISM": "long-enough", "PWD": "/home/user", "KEYS": "abcdefghi"}
    )
    known.look()
    assert known.names == {}
    assert not names_a_key("SSH_KEY_PATH")


def test_kinds_are_noted_and_never_the_secrets(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "open-sesame-1")
    noted = []
    without_keys(f"open-sesame-1 {SHAPED['Groq']} password='hunter2'", noted.append)
    assert noted == ["the value of OPENAI_API_KEY", "a key", "a password"]


def test_arguments_of_a_call_stay_json():
    part = {"part_kind": "tool-call", "args": json.dumps({"code": 'api_key = "abcd1234efgh"', "password": "swordfish"})}
    [message] = messages_without_keys([{"kind": "response", "parts": [part]}])
    [cleaned] = message["parts"]
    assert json.loads(cleaned["args"]) == {"code": f'api_key = "{LEFT_OUT}"', "password": LEFT_OUT}


def test_value_without_keys_is_returned_itself():
    value = {"a": ["text", 1, None, ("b", {"c": "d"})]}
    assert without_keys_in(value) is value


def test_bytes_and_signatures_are_left_alone():
    key = SHAPED["Groq"]
    image = {"kind": "binary", "media_type": "image/png", "data": key}
    messages = [
        {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": ["look", image]}]},
        {"kind": "response", "parts": [{"part_kind": "thinking", "content": "hm", "signature": key}]},
    ]
    assert messages_without_keys(messages) is messages


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "Secret", "data": {"value": SHAPED["Groq"]}},
        {"part_kind": "text", "id": SHAPED["Groq"], "metadata": {"a": SHAPED["Groq"]}},
        {"signature": SHAPED["Groq"], "encrypted_key": SHAPED["Groq"]},
        [{"name": "DB_PASSWORD", "value": "swordfish"}],
    ],
)
@pytest.mark.parametrize("field", ["args", "content"])
def test_json_of_a_tool_may_look_like_a_message(content, field):
    part = {"part_kind": "tool-return", "tool_name": "look", field: content}
    cleaned = messages_without_keys([{"kind": "request", "parts": [part]}])
    assert not any(secret in repr(cleaned) for secret in (SHAPED["Groq"], "swordfish"))
    assert not any(secret in repr(without_keys_in(content)) for secret in (SHAPED["Groq"], "swordfish"))


def test_bytes_that_are_sent_as_text_are_searched():
    file = BinaryContent(f"use {SHAPED['Groq']}".encode(), media_type="text/plain")
    assert without_keys_in([file])[0].data.decode() == f"use {LEFT_OUT}"
    [message] = ModelMessagesTypeAdapter.dump_python([ModelRequest([UserPromptPart(["see", file])])], mode="json")
    [cleaned] = messages_without_keys([message])
    [restored] = ModelMessagesTypeAdapter.validate_python([cleaned])
    assert restored.parts[0].content[1].data.decode() == f"use {LEFT_OUT}"


def test_arguments_may_be_nested_deeply():
    args = '{"a": ' + "[" * 600 + f'"{SHAPED["Groq"]}"' + "]" * 600 + "}"
    cleaned = messages_without_keys([{"parts": [{"part_kind": "tool-call", "tool_name": "x", "args": args}]}])
    assert SHAPED["Groq"] not in repr(cleaned)


@pytest.mark.parametrize("key", SHAPED.values(), ids=SHAPED)
@pytest.mark.parametrize("size", [1, 5, 17])
def test_key_that_is_split_over_pieces_is_left_out(key, size):
    text = f"Use {key} for it.\nAnd nothing else."
    stream = StreamedText()
    pieces = [stream.add(text[at : at + size]) for at in range(0, len(text), size)]
    shown = "".join([*pieces, stream.end()])
    assert shown.endswith(f"{LEFT_OUT} for it.\nAnd nothing else.")
    assert not any(key[at : at + 8] in shown for at in range(len(key) - 7))


@pytest.mark.parametrize(("text", "secret"), MARKED)
def test_marked_secret_that_is_split_over_pieces_is_left_out(text, secret):
    text = f"See {text.format(secret)} and so on."
    stream = StreamedText()
    shown = "".join([*map(stream.add, text), stream.end()])
    assert shown == without_keys(text)


@pytest.mark.parametrize("key", list(SHAPED.values())[:-1], ids=list(SHAPED)[:-1])
@pytest.mark.parametrize("length", [14, 30, 60])
def test_text_with_a_key_is_cut_without_half_of_it(key, length):
    for text in (f"{key} {'x ' * 60}", f"use {key} {'x ' * 60}"):
        assert key[6:10] not in shortened(text, length)
        assert key[6:10] not in title_of(text)
    assert title_of(f"use {key} {'x ' * 60}").startswith(f"use {LEFT_OUT} x x")


@pytest.mark.parametrize(("at", "step", "end"), [(1, 1, 2), (4, -1, 3), (4, 1, 4), (0, 1, 0), (8, -1, 8)])
def test_long_text_is_cut_between_words(at, step, end):
    assert between_words("ab cdefg", at, step) == end


def test_ordinary_words_are_passed_on_as_they_come():
    stream = StreamedText()
    assert [stream.add(piece) for piece in ("It ", "is f", "ine", ". 世界", "你好")] == [
        "It ",
        "is f",
        "ine",
        ". 世界",
        "你好",
    ]
