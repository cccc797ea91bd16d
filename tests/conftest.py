"""What every test can use: the real servers, each started on first use."""

pytest_plugins = ["servers.fixtures"]
