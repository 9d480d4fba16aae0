"""What a server may answer to the question which models it has: anything. What is listed of it can be typed."""

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from sessionmagic import Models
from sessionmagic.models.running import _listed
from sessionmagic.notebook.cell_line import CELL_LINE
from sessionmagic.notebook.commands import COMMANDS

MODELS = Models(endpoints={"lab": "http://127.0.0.1:1/v1"})
NAMES = st.text(st.sampled_from("ab0-_./:@+~#=%$`{}'\"\\,;? \n\x1b\u200b\u202eé"), max_size=12) | st.text(max_size=220)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
ENTRIES = st.fixed_dictionaries({"id": NAMES | JSON}, optional={"meta": JSON, "max_model_len": JSON}) | JSON


@given(
    st.binary(max_size=60)
    | JSON.map(orjson.dumps)
    | st.lists(ENTRIES, max_size=5).map(lambda it: orjson.dumps({"data": it}))
)
def test_any_answer_is_a_list_or_one_remark(body):
    answer = _listed(body)
    assert "\n" not in answer.remark
    assert all(model.context is None or model.context > 0 for model in answer.models)


@given(NAMES)
@example("-x")
@example("a=b")
@example("%reset")
@example("~/model.gguf")
@example("org/model:8b@q4#1")
def test_reference_that_is_listed_means_the_same_where_it_is_typed(name):
    for model in _listed(orjson.dumps({"data": [{"id": name}]})).models:
        reference = f"lab:{model.name}"
        MODELS.check(reference)
        assert MODELS.resolve(reference).model.model_name == name
        assert COMMANDS["model"].parser.parse_line(reference).reference == reference
        assert CELL_LINE.parse_line(f"--model {reference}").model == reference
