"""`python -m derb_gateway` is `derb gateway`."""

from derb_gateway.cli import app

app(prog_name="derb gateway")
