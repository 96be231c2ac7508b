"""Vocabularies from files: CLIP's form read as CLIP reads it, a tokenizer.json as its library does, wrong files refused."""

import gzip
import json

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from pipelines.cli import main
from pipelines.encoders.tokeniser import END, PAD, VOCABULARY
from pipelines.encoders.vocabulary import from_file
from pipelines.errors import InputError
from pipelines.spec.methods.clip import Options
from pipelines.spec.plan import plan_file
from pipelines.spec.vocabulary import ALPHABET, Vocabulary

MERGES = '"bpe_simple_vocab_16e6.txt#version: 0.2\na t</w>\nc at</w>\nd o\ndo g</w>\n'
STUDY = """
question: q
dataset: {{use: digits, limit: 200}}
encoder: {{use: resnet, depth: 10, width: 8}}
methods:
  - {{use: clip, dim: 16, text_width: 16, text_layers: 1, text_heads: 2, context: 32, vocabulary: {{path: {path}}}}}
seeds: [0]
training: {{batch_size: 64, epochs: 1, precision: float32}}
evaluation: [{{use: zero_shot}}]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "merges.txt.gz"
    path.write_bytes(gzip.compress(MERGES.encode()))
    return path


@pytest.fixture
def learnt(tmp_path):
    """A tokenizer.json, as the library writes it, with padding and truncation of its own switched on."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator(
        ["a red car", "a red square"] * 3, trainers.BpeTrainer(vocab_size=264, initial_alphabet=alphabet)
    )
    made.enable_truncation(3)
    made.enable_padding(length=9)
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def of(path, merges=None, context=32):
    return from_file(Vocabulary(path=str(path)).known(), merges, context)


def test_clips_form_has_clips_numbers(file):
    """256 bytes, 256 ends of words, then the merges: at</w> is 512, cat</w> 513, do 514, dog</w> 515."""
    tokenise = of(file)
    (row,) = tokenise(["A Cat,  dogs"])
    ids = [number - 3 if number >= VOCABULARY else number for number in row.tolist()]
    names = {number: token for token, number in tokenise.library.get_vocab().items()}
    assert [names[number] for number in ids[1:-1]] == ["a</w>", "cat</w>", ",</w>", "do", "g", "s</w>"]
    assert (names[512], names[513], names[514], names[515]) == ("at</w>", "cat</w>", "do", "dog</w>")
    assert tokenise.beside_bytes == 256 + 4


def test_only_so_many_merges_are_taken_of_a_list(file):
    assert of(file, merges=1).beside_bytes == 256 + 1
    assert of(file, merges=1)(["cat"]).shape == (1, 4)  # c at
    assert of(file)(["cat"]).shape == (1, 3)


def test_a_tokenizer_json_says_what_its_library_says(learnt):
    text = "a red car with a mark"
    library = Tokenizer.from_file(str(learnt))
    library.no_truncation()
    library.no_padding()
    (row,) = of(learnt)([text])
    assert [n if n < 256 else n - 3 for n in row.tolist()[1:-1]] == library.encode(text).ids
    assert row.tolist().count(END) == 1


def test_rows_are_filled_and_cut_and_keep_their_end(file):
    rows = of(file, context=4)(["cat cat cat cat", "dog"])
    assert rows.shape == (2, 4)
    assert rows[0, -1] == END
    assert rows[1].tolist()[2:] == [END, PAD]


WRONG = {
    "a page": (b"<html>not found</html>\n", "line 1 of .* is '<html>not found</html>', and a merge is two signs"),
    "nothing": (b"", "has no merge in it"),
    "only a header": (b"#version: 0.2\n", "has no merge in it"),
    "three signs": (b"#version: 0.2\na b\na b c\n", "line 3 of .* is 'a b c'"),
    "a sign that nothing made": (b"#version: 0.2\na t</w>\nqu een\n", "line 3 of .* is 'qu een'"),
    "GPT-2's form": ("#version: 0.2\n\u0120 t\n".encode(), "marks no end of a word"),
    "bytes": (b"\xff\xfe\x00", "cannot be read"),
    "half an archive": (gzip.compress(MERGES.encode() * 50)[:60], "cannot be read"),
    "half a json": (b'{"model": ', "is no tokenizer.json"),
    "a deep json": (b'{"a":' * 50_000, "is no tokenizer.json"),
    "65 MiB in 64 KiB": (gzip.compress(bytes(65 << 20)), "holds more than 64 MiB"),
    "another json": (b'{"names": []}', "is no tokenizer.json"),
    "words": (json.dumps({"model": {"type": "WordPiece", "vocab": {}}}).encode(), "holds a WordPiece model"),
}


@pytest.mark.parametrize(("data", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_vocabulary_is_refused_when_planned(data, message, tmp_path):
    (tmp_path / "file").write_bytes(data)
    (tmp_path / "study.yaml").write_text(STUDY.format(path=tmp_path / "file"))
    with pytest.raises(InputError, match=rf"study\.yaml: clip: vocabulary: .*{message}"):
        plan_file(tmp_path / "study.yaml")


def test_a_missing_file_and_another_one_are_refused(file, tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*none\.txt; fetch it"):
        Vocabulary(path=str(tmp_path / "none.txt")).known()
    with pytest.raises(InputError, match="fetch the file anew or mend the line"):
        Vocabulary(path=str(file), sha256="0" * 64).known()


def test_a_json_that_does_not_go_together_is_refused(tmp_path):
    said = {"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}}
    (tmp_path / "file").write_text(json.dumps(said))
    with pytest.raises(InputError, match="does not go together"):
        of(tmp_path / "file")


def test_the_signs_of_bytes_are_the_librarys():
    assert sorted(pre_tokenizers.ByteLevel.alphabet()) == ALPHABET


def test_a_json_says_its_own_number_of_tokens(learnt):
    with pytest.raises(InputError, match=r"^merges: .*264 tokens; leave merges out"):
        Options(vocabulary=Vocabulary(path=str(learnt)), merges=10).known()


def test_where_the_file_lies_changes_no_key_and_what_it_says_does(file, tmp_path):
    keys = []
    for name, text in (("one", MERGES), ("two", MERGES), ("three", MERGES + "t o\n")):
        path = tmp_path / name
        path.write_text(text)
        (tmp_path / "study.yaml").write_text(STUDY.format(path=path))
        keys.append([job.key for job in plan_file(tmp_path / "study.yaml").of("pretrain")])
    assert keys[0] == keys[1] != keys[2]


def test_a_study_trains_and_measures_with_a_file_and_stops_when_it_was_swapped(file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(STUDY.format(path=file))
    assert main(["plan", "study.yaml", "--write"]) == 0
    jobs = plan_file(tmp_path / "study.yaml").jobs.values()
    trained = [job for job in jobs if job.stage != "evaluate" or "weights" in job.inputs]
    for job in trained:
        assert main([job.stage, "--job", str(job.folder(tmp_path / "results"))]) == 0
    measured = trained[-1].folder(tmp_path / "results")
    assert 0 <= json.loads((measured / "record.json").read_text())["metrics"]["test/top1"] <= 1
    (measured / "record.json").unlink()
    file.write_bytes(gzip.compress((MERGES + "t o\n").encode()))
    capsys.readouterr()
    assert main(["evaluate", "--job", str(measured)]) == 1
    assert "when planned it was" in capsys.readouterr().err
    assert not (measured / "record.json").exists()
