"""A pytest plugin for CI (`-p tests.no_skips`): a test that was skipped for a missing package fails the run.

One reason is allowed: Discord's published API document is not part of the repository.
"""

import pytest

ALLOWED = "Discord's OpenAPI document"


def pytest_sessionfinish(session: pytest.Session) -> None:
    # A worker of pytest-xdist tells the session that started it.
    if hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [report for report in reporter.stats.get("skipped", []) if ALLOWED not in str(report.longrepr)]
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{len(skipped)} tests were skipped, which CI does not allow", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
