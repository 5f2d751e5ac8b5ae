"""What a relay runs after its own start: everything is in relay.run."""

from relay import run

run.main()
