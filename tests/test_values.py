"""The values that documents are made of: their formats, and that a stream's names decide them."""

from __future__ import annotations

import base64
import random
import re
import subprocess
import sys
import threading

import pytest
from faker import Faker
from hypothesis import given
from hypothesis import strategies as st

from pytest_cpjob.aws import botocore_data
from pytest_cpjob.aws.codepipeline_model import violations
from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.documents.faker_provider import CodePipelineProvider, seeded_generator
from pytest_cpjob.documents.streams import NamedRandom, Stream, job_stream
from pytest_cpjob.documents.values import Draws
from pytest_cpjob.errors import CpjobError

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
names = st.lists(st.text(max_size=8), max_size=4)
seeds = st.integers(min_value=0)

FORMATS = {
    "account_id": r"[0-9]{12}",
    "job_id": UUID,
    "client_id": UUID,
    "client_token": UUID,
    "execution_id": UUID,
    "aws_request_id": UUID,
    "kms_key_id": UUID,
    "pipeline_name": r"[a-z]+-[a-z]+-pipeline",
    "function_name": r"[a-z]+-[a-z]+-[a-z]+",
    "pipeline_arn": r"arn:aws:codepipeline:us-east-1:[0-9]{12}:[a-z-]+",
    "artifact_bucket_name": r"codepipeline-us-east-1-[0-9]{11,12}",
    "access_key_id": r"ASIA[A-Z2-7]{16}",
    "secret_access_key": r"[A-Za-z0-9+/]{40}",
    "session_token": r"IQoJb3JpZ2luX2VjE[A-Za-z0-9+/]{633,}={0,2}",
    "kms_key_arn": rf"arn:aws:kms:us-east-1:[0-9]{{12}}:key/{UUID}",
    "commit_id": r"[0-9a-f]{40}",
    "s3_version_id": r"[A-Za-z0-9._]{32}",
    "image_digest": r"sha256:[0-9a-f]{64}",
    "nonce": r"[1-9]",
}
SHAPES = {
    "account_id": "AccountId",
    "job_id": "JobId",
    "client_id": "ClientId",
    "client_token": "ClientToken",
    "execution_id": "PipelineExecutionId",
    "pipeline_name": "PipelineName",
    "pipeline_arn": "PipelineArn",
    "nonce": "Nonce",
    "commit_id": "Revision",
}


def drawn_by(seed: int) -> Draws:
    return Stream(seed).values


@pytest.mark.parametrize("method", FORMATS)
@given(seed=seeds)
def test_each_value_has_its_format(method: str, seed: int) -> None:
    value = getattr(drawn_by(seed), method)()
    assert re.fullmatch(FORMATS[method], value)
    assert method not in SHAPES or violations(SHAPES[method], value) == []


def test_every_method_is_in_the_table_of_formats() -> None:
    public = {name for name in vars(Draws) if not name.startswith("_")}
    assert public - {"artifact_object_key"} == set(FORMATS)


@given(seed=seeds)
def test_a_session_token_is_base64_of_what_sts_writes(seed: int) -> None:
    token = drawn_by(seed).session_token()
    assert 800 <= len(token) <= 1000
    decoded = base64.b64decode(token, validate=True)
    assert decoded.startswith(b"!\n\torigin_ec")


@given(seed=seeds, pipeline=st.text(min_size=1), artifact=st.text(min_size=1))
def test_an_object_key_is_cut_as_codepipeline_cuts_it(
    seed: int, pipeline: str, artifact: str
) -> None:
    key = drawn_by(seed).artifact_object_key(pipeline, artifact)
    head = f"{pipeline[:20]}/{artifact[:10]}/"
    assert key.startswith(head)
    assert re.fullmatch(r"[A-Za-z0-9]{7}", key[len(head) :])


def test_given_parts_of_an_arn_are_kept() -> None:
    values = drawn_by(1)
    arn = values.pipeline_arn("web", region="cn-north-1", account_id="000000000001")
    assert arn == "arn:aws-cn:codepipeline:cn-north-1:000000000001:web"
    assert values.kms_key_arn("us-gov-west-1", "000000000001").startswith(
        "arn:aws-us-gov:kms:us-gov-west-1:000000000001:key/"
    )


def test_the_provider_works_in_any_faker_and_follows_its_seed() -> None:
    def values(seed: int) -> list[str]:
        fake = Faker()
        fake.add_provider(CodePipelineProvider)
        fake.seed_instance(seed)
        return [getattr(fake, method)() for method in FORMATS]

    assert values(7) == values(7)
    assert values(7) != values(8)
    for method, value in zip(FORMATS, values(7), strict=True):
        assert re.fullmatch(FORMATS[method], value), method


def test_the_provider_hides_no_method_of_fakers_own() -> None:
    fakers = {name for name in dir(Faker()["en_US"]) if not name.startswith("_")}
    assert fakers.isdisjoint({*FORMATS, "artifact_object_key"})


def test_the_seeded_generator_is_a_whole_faker_and_leaves_the_global_random_alone() -> None:
    before = random.getstate()
    here, there = (seeded_generator(Stream(7, "test").at("faker")) for _ in range(2))
    assert [here.name(), here.job_id()] == [there.name(), there.job_id()]
    here.seed_instance(1)
    there.seed_instance(1)
    assert here.sentence() == there.sentence()
    assert random.getstate() == before


# -- streams ---------------------------------------------------------------------------------------


def test_a_number_and_its_text_are_one_name() -> None:
    assert Stream(7, "test").values.job_id() == Stream("7", "test").values.job_id()


@given(one=names, other=names)
def test_different_names_give_different_values(one: list[str], other: list[str]) -> None:
    same = Stream(*one).values.job_id() == Stream(*other).values.job_id()
    assert same == (one == other)


@given(one=names, other=names)
def test_a_child_is_the_stream_of_all_its_names(one: list[str], other: list[str]) -> None:
    assert Stream(*one).at(*other).values.commit_id() == Stream(*one, *other).values.commit_id()


def test_values_begin_anew_each_time() -> None:
    stream = Stream("a")
    first = stream.values
    assert [first.job_id(), first.job_id()] == [
        (again := stream.values).job_id(),
        again.job_id(),
    ]
    assert first.job_id() != stream.values.job_id()


def test_a_stream_shows_its_names() -> None:
    assert repr(Stream(7, "test_it")) == "Stream('7''test_it')"


def test_threads_draw_the_same_as_one_after_the_other() -> None:
    alone = [Stream("a", number).values.session_token() for number in range(20)]
    together: dict[int, str] = {}

    def draw(number: int) -> None:
        together[number] = Stream("a", number).values.session_token()

    threads = [threading.Thread(target=draw, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[number] for number in range(20)] == alone


def test_a_job_is_named_by_its_id_or_by_the_next_number() -> None:
    def ids(job_ids: list[object]) -> list[str]:
        counter = iter(range(9))
        return [job_stream(Stream("t"), counter, one).values.job_id() for one in job_ids]

    named, first, second = ids(["0", None, None])
    assert ids([None, None, "0"]) == [first, second, named]
    assert len({named, first, second}) == 3


def test_a_named_random_has_every_method_of_random() -> None:
    draw, again = NamedRandom(b"a"), NamedRandom(b"a")
    assert [draw.random(), draw.randrange(99), draw.choice("abc"), draw.gauss(0, 1)] == [
        again.random(),
        again.randrange(99),
        again.choice("abc"),
        again.gauss(0, 1),
    ]
    assert sorted(draw.sample(range(50), 50)) == list(range(50))


@given(st.lists(st.integers(min_value=0, max_value=5000), max_size=6))
def test_a_named_random_gives_as_many_bits_as_asked(sizes: list[int]) -> None:
    draw = NamedRandom(b"a")
    for size in sizes:
        assert draw.getrandbits(size) < 2**size
        assert len(draw.randbytes(size)) == size


def test_a_named_randoms_numbers_fill_the_unit_interval() -> None:
    draw = NamedRandom(b"a")
    numbers = [draw.random() for _ in range(1000)]
    assert 0 <= min(numbers) < 0.01
    assert 0.99 < max(numbers) < 1
    assert 0.45 < sum(numbers) / 1000 < 0.55


@pytest.mark.parametrize("call", ["seed", "getstate", "setstate"])
def test_a_named_random_cannot_be_moved(call: str) -> None:
    with pytest.raises(NotImplementedError, match="names"):
        getattr(NamedRandom(b"a"), call)()


# -- regions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("us-east-1", "aws"),
        ("eu-central-9", "aws"),
        ("cn-northwest-1", "aws-cn"),
        ("us-gov-east-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
    ],
)
def test_a_region_has_its_partition(region: str, partition: str) -> None:
    assert partition_of(region) == partition


@pytest.mark.parametrize("region", ["", "mars-1", "aws-global", "us-east-1\n", "US-EAST-1"])
def test_an_unknown_region_is_refused(region: str) -> None:
    with pytest.raises(ValueError, match=r"^region: ") as refused:
        partition_of(region)
    assert repr(region) in str(refused.value)


def test_without_botocore_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore_data, "find_spec", lambda name: None)
    with pytest.raises(CpjobError, match="pip install botocore"):
        botocore_data.botocore_data()


def test_documents_need_no_import_of_boto3_botocore_or_faker() -> None:
    code = (
        "import itertools, sys\n"
        "from pytest_cpjob.documents.factories import JobDetailsFactory\n"
        "from pytest_cpjob.documents.streams import Stream\n"
        "make = JobDetailsFactory(Stream(0), itertools.count(), region='us-east-1',\n"
        "                         account_id='123456789012')\n"
        "make(encryption_key=True, action_type='Build:Custom:Docs:1')\n"
        "print([name for name in ('boto3', 'botocore', 'moto', 'faker') if name in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("[]\n", "")
