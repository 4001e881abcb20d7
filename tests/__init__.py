"""The tests; those of one module of the package are in the file of the same name."""

import pytest

pytest.register_assert_rewrite("tests.leftovers")
