"""The code blocks of an answer: which are Python, and how several become one cell."""

import pytest

from sessionmagic.notebook.page.code_blocks import as_cell, code_blocks, python_in


def fenced(code, language=""):
    return f"```{language}\n{code}\n```\n"


def pythons(answer):
    return [block.code for block in python_in(code_blocks(answer))]


@pytest.mark.parametrize("language", ["python", "Python", "py", "python3", "ipython", "python title=x.py"])
def test_blocks_that_say_python_count(language):
    assert pythons(f"First:\n\n{fenced('a = 1', language)}\nThen:\n\n{fenced('b = 2', language)}") == ["a = 1", "b = 2"]


def test_blocks_of_other_languages_and_output_do_not_count_beside_python():
    answer = fenced("pip install x", "bash") + fenced("a = 1", "python") + fenced("1")
    assert [block.language for block in code_blocks(answer)] == ["bash", "python", ""]
    assert pythons(answer) == ["a = 1"]


def test_without_a_block_that_says_python_those_that_say_nothing_count():
    assert pythons(fenced("ls", "sh") + fenced("a = 1") + "text\n\n    b = 2\n") == ["a = 1", "b = 2"]


@pytest.mark.parametrize("answer", ["", "no code, only `inline`", fenced("{}", "json"), fenced("  ", "python")])
def test_an_answer_without_python_has_none(answer):
    assert pythons(answer) == []


def test_code_in_a_list_loses_the_lists_indentation_and_keeps_its_own():
    answer = "1. Do this:\n\n   ```python\n   def f():\n\n       return 1\n   ```\n"
    assert pythons(answer) == ["def f():\n\n    return 1"]


def test_a_fence_in_a_longer_fence_is_code():
    assert pythons('````python\ntext = """\n```\n"""\n````\n') == ['text = """\n```\n"""']


def test_a_block_that_was_not_finished_counts():
    assert pythons("```python\na = 1\nb =") == ["a = 1\nb ="]


def test_characters_that_would_hide_code_are_visible_in_it():
    assert pythons(fenced("a = 1 \u202e# 2", "python")) == ["a = 1 ⟨U+202E⟩# 2"]


def test_one_block_is_a_cell_as_it_is_and_several_are_divided():
    one, two = code_blocks(fenced("a = 1", "python") + fenced("b = 2", "python"))
    assert as_cell([one]) == "a = 1"
    assert as_cell([one, two]) == "# %%\na = 1\n\n# %%\nb = 2"
