import base64
import hashlib
import json
import random
import string
import uuid

import pytest

from sessionmagic.keys.cleaning import LEFT_OUT, without_keys, without_keys_in
from sessionmagic.keys.known import KNOWN, KnownKeys, names_a_key
from sessionmagic.keys.streaming import StreamedText
from sessionmagic.words import between_words

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
]


@pytest.mark.parametrize("key", SHAPED.values(), ids=SHAPED)
@pytest.mark.parametrize("text", ["{}", "use {}.", "(see {})", '["{}"]', "a: {}, b"])
def test_key_with_a_known_shape_is_left_out(text, key):
    assert without_keys(text.format(key)) == text.format(LEFT_OUT)


@pytest.mark.parametrize(("text", "secret"), MARKED)
def test_secret_that_a_text_marks_as_such_is_left_out(text, secret):
    cleaned = without_keys(text.format(secret))
    assert cleaned == text.format(LEFT_OUT)
    assert without_keys(cleaned) == cleaned


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_ordinary_text_and_code_about_keys_are_left_alone(text):
    assert without_keys(text) == text
    assert without_keys_in([json.dumps({"text": text})]) == [json.dumps({"text": text})]


def test_value_is_known_after_it_has_left_the_environment(monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", "correct horse battery")
    monkeypatch.setenv("DATABASE_URL", "postgres://me:open-sesame@host/db")
    KNOWN.look()
    monkeypatch.delenv("DB_PASSWORD")
    monkeypatch.delenv("DATABASE_URL")
    assert without_keys("say correct horse battery, open-sesame") == f"say {LEFT_OUT}, {LEFT_OUT}"


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
    cleaned = without_keys_in(part)
    assert json.loads(cleaned["args"]) == {"code": f'api_key = "{LEFT_OUT}"', "password": LEFT_OUT}


def test_value_without_keys_is_returned_itself():
    value = {"a": ["text", 1, None, ("b", {"c": "d"})]}
    assert without_keys_in(value) is value


def test_bytes_and_signatures_are_left_alone():
    key = SHAPED["Groq"]
    parts = [{"kind": "binary", "data": key}, {"part_kind": "thinking", "content": "hm", "signature": key}]
    assert without_keys_in(parts) is parts


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
