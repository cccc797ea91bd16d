"""What every test can use: the real servers, each started on first use, and how to read them."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["servers.fixtures", "servers.backends"]

# a machine that is busy with servers is slow, and slowness is no fault of what is tested
settings.register_profile(
    "behaviour", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("behaviour")
