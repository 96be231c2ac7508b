"""Secrets: nothing of a password or a token is left in a text, wherever the address stands in it."""

from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.masking import masked

RAW = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=4, max_size=20)
SECRET = RAW | RAW.map(lambda text: quote(text, safe=""))
SCHEMES = st.sampled_from(["postgresql", "postgresql+psycopg2", "mysql+pymysql", "mssql", "http", "https"])
NAMES = st.sampled_from(
    ["password", "passwd", "PWD", "sslpassword", "token", "access_token", "api_key", "apikey", "x-api-key",
     "client_secret", "X-Amz-Signature", "X-Amz-Credential", "sig", "auth"]
)  # fmt: skip
AROUND = st.sampled_from(
    ["{}", "MLflow at {} does not answer", "'{}'", '("{}", 3)', "uri={}", "[Errno 111] {}: refused", "{}, {}", "<{}>"]
)


def left_of(secret: str, text: str, harmless: str) -> list[str]:
    """The pieces of four letters of a secret that a text shows, but for those that the rest has as well."""
    pieces = {secret[start : start + 4] for start in range(len(secret) - 3)}
    return [piece for piece in pieces if piece in text and piece not in harmless]


@given(SCHEMES, RAW, SECRET, AROUND, st.sampled_from(["", "/db", "/db?sslmode=require", "/#/experiments/1"]))
def test_no_password_survives(scheme: str, user: str, password: str, around: str, path: str) -> None:
    address = f"{scheme}://{user}:{password}@host.example:5432{path}"
    harmless = around + f"{scheme}://***@host.example:5432{path}"
    assert left_of(password, masked(around.replace("{}", address)), harmless) == []


@given(st.sampled_from(["http", "https"]), SECRET, AROUND)
def test_no_token_in_place_of_a_user_survives(scheme: str, token: str, around: str) -> None:
    text = around.replace("{}", f"{scheme}://{token}@host.example/path")
    assert left_of(token, masked(text), around + f"{scheme}://***@host.example/path") == []


@given(SCHEMES, NAMES, SECRET, AROUND, st.sampled_from(["?", "?a=1&"]), st.sampled_from(["", "&b=2"]))
def test_no_parameter_that_speaks_of_a_secret_survives(
    scheme: str, name: str, secret: str, around: str, start: str, end: str
) -> None:
    assume("&" not in secret)
    text = around.replace("{}", f"{scheme}://host.example/db{start}{name}={secret}{end}")
    harmless = around + f"{scheme}://host.example/db{start}{name}=***{end}"
    assert left_of(secret, masked(text), harmless) == []


@given(SCHEMES, RAW, SECRET, NAMES, SECRET, AROUND)
def test_nothing_of_both_survives(scheme: str, user: str, first: str, name: str, second: str, around: str) -> None:
    assume("&" not in second)
    text = masked(around.replace("{}", f"{scheme}://{user}:{first}@host.example/db?{name}={second}"))
    harmless = around + f"{scheme}://***@host.example/db?{name}=***"
    assert left_of(first, text, harmless) == left_of(second, text, harmless) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:secret@h/db", "postgresql://***@h/db"),
        ("MLflow at http://TOKEN@h:5000: down", "MLflow at http://***@h:5000: down"),
        ("postgresql://h/db?user=me&password=secret&sslmode=require", "postgresql://h/db?user=me&password=***&sslmode=require"),
        ("me:secret@h/db: must be a server", "***@h/db: must be a server"),
        ("host=h password=secret dbname=d", "host=h password=*** dbname=d"),
        ("host=h password='se cret' dbname=d", "host=h password=*** dbname=d"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("{'Authorization': 'Basic abc='}", "{'Authorization': 'Basic ***'}"),
    ],
)  # fmt: skip
def test_what_is_hidden(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://host:5000/#/experiments/1/runs?workflowType=machine_learning&startTime=ALL",
        "sqlite:////srv/results/mlflow.db",
        "experiments/x.yaml: methods[1].temprature: moco has no such option; did you mean 'temperature'?",
        "results/jobs/pretrain/a-1: training.lr=0.03, pool=token, text_width=512",
        "write to a@b.invalid at 10:30",
        "shards/train-000001.tar: SHA-256 is 0a1b, the index says 2c3d: its bytes changed",
    ],
)
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert masked(text) == text
