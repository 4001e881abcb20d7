"""A pytest plugin that searches all that a test run writes and says for the keys that the tests use.

Searched: every file below pytest's temporary folder, what each test printed and logged, its report if it failed, and
every log record with all it holds. A hit fails the run, whatever the tests said.
"""

from __future__ import annotations

import logging
import traceback

import pytest

from tests.security.finder import Finder


class CanaryWatch(logging.Handler):
    """Registered by tests/conftest.py; adds a line to the summary."""

    def __init__(self) -> None:
        super().__init__(level=logging.NOTSET)
        self.finder = Finder()

    def emit(self, record: logging.LogRecord) -> None:
        """Search a log record: its text, its attributes, and the locals of the traceback that it carries."""
        said = f"{record.getMessage()} {vars(record)}"
        if record.exc_info is not None and record.exc_info[1] is not None:
            report = traceback.TracebackException.from_exception(record.exc_info[1], capture_locals=True)
            # The tests' own frames hold the keys that they use.
            report.stack = traceback.StackSummary.from_list(
                [frame for frame in report.stack if "/tests/" not in frame.filename]
            )
            said += "".join(report.format())
        self.finder.text(said, f"a log record of {record.name}")

    def pytest_sessionstart(self) -> None:
        """Listen to every logger."""
        logging.getLogger().addHandler(self)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Search what a test printed and logged."""
        for name, text in report.sections:
            self.finder.text(text, f"{name} of {report.nodeid}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Search the files; a hit fails the run."""
        logging.getLogger().removeHandler(self)
        base = getattr(session.config, "_tmp_path_factory", None)
        if base is not None and getattr(base, "_basetemp", None) is not None:
            self.finder.folder(base.getbasetemp())
        if self.finder.hits:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was searched."""
        terminalreporter.write_sep("-", f"canary keys: {self.finder}", red=bool(self.finder.hits))
        for where in self.finder.hits:
            terminalreporter.write_line(f"CANARY a key is in {where}", red=True)
