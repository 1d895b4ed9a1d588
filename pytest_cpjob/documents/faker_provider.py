"""A Faker provider of CodePipeline's values, usable with any Faker instance."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, cast

from faker import Factory, Generator
from faker.providers import BaseProvider

from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.documents.values import Draws
from pytest_cpjob.requirements import require


class CodePipelineProvider(Draws, BaseProvider):
    """Account ids, ARNs, artifact keys, credentials and the like, in AWS's formats.

    Every method draws only from `self.generator.random`, so seeding the Faker fixes all values.

    >>> from faker import Faker
    >>> fake = Faker()
    >>> fake.add_provider(CodePipelineProvider)
    >>> fake.pipeline_arn("web", account_id="123456789012")
    'arn:aws:codepipeline:us-east-1:123456789012:web'
    """


if TYPE_CHECKING:

    class FakerGenerator(Generator, Draws):
        """A Faker generator for type checkers: what Faker's providers add is not in its class."""

        def __getattr__(self, name: str) -> Any: ...
else:
    FakerGenerator = Generator
    """What the fixture `cpjob_faker` is: Faker's generator, with `CodePipelineProvider`.

    >>> cpjob_faker.pipeline_arn("web", account_id="123456789012")
    'arn:aws:codepipeline:us-east-1:123456789012:web'
    """


def seeded_generator(stream: Stream) -> FakerGenerator:
    """Return a Faker generator with all of Faker's providers and ours, seeded from a stream.

    It has its own `random.Random`, which may be reseeded; Faker's global one is not touched.
    """
    require("faker")
    generator = Factory.create()
    generator.random = Random(stream.values.generator.random.getrandbits(128))
    generator.add_provider(CodePipelineProvider)
    return cast("FakerGenerator", generator)
