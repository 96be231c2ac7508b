"""Every data set's options: one file a data set, found by its name; ``sources/`` has the reader of the same name."""

from typing import Annotated

from pipelines.spec.datasets.base import DataSet
from pipelines.spec.kinds import OneOf

AnyDataSet = Annotated[DataSet, OneOf(__name__)]
