import dagster as dg
import pytest

from labeling_assets import errors
from labeling_assets.clients.label_studio import MaybeDoneError
from labeling_assets.errors import ConfigurationError, DataError, InputError, RefusedError, TransientError
from labeling_assets.failures import RETRIES, as_failures

pytestmark = pytest.mark.filterwarnings("error", "ignore::dagster.PreviewWarning")


def failure(error: Exception) -> dg.Failure:
    with pytest.raises(dg.Failure) as caught, as_failures("b1"):
        raise error
    return caught.value


@pytest.mark.parametrize("error", [ConfigurationError, InputError, DataError, RefusedError, errors.ServiceError])
def test_permanent_errors_are_not_tried_again(error: type[Exception]) -> None:
    assert failure(error("no")).allow_retries is False


@pytest.mark.parametrize("error", [TransientError, MaybeDoneError])
def test_transient_errors_may_be_tried_again(error: type[Exception]) -> None:
    assert failure(error("later")).allow_retries is True


def test_the_failure_names_the_batch_and_says_what_the_error_says() -> None:
    assert failure(InputError("b1 is empty.")).description == "Batch 'b1': b1 is empty."


def test_the_failure_says_what_kind_of_error_it_was() -> None:
    kind = failure(DataError("two of them")).metadata["kind"]
    assert kind == dg.MetadataValue.text("DataError")


def test_the_cause_is_kept() -> None:
    error = InputError("no")
    assert failure(error).__cause__ is error


def test_what_is_not_ours_is_left_alone() -> None:
    with pytest.raises(ZeroDivisionError), as_failures("b1"):
        raise ZeroDivisionError


def tries(error: Exception) -> int:
    """How often Dagster runs an asset that fails like this, with the policy of ours but no pauses."""
    count = 0

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=RETRIES.max_retries))
    def failing() -> None:
        nonlocal count
        count += 1
        with as_failures("b1"):
            raise error

    assert not dg.materialize([failing], raise_on_error=False).success
    return count


def test_dagster_tries_a_transient_failure_four_times() -> None:
    assert tries(TransientError("connection lost")) == 4


def test_dagster_tries_a_permanent_failure_once() -> None:
    assert tries(ConfigurationError("wrong token")) == 1


def test_the_pauses_between_tries_grow() -> None:
    assert RETRIES.backoff is dg.Backoff.EXPONENTIAL
    assert RETRIES.delay == 2
