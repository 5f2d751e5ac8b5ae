"""How to reach a broker and who we are there, as the configuration says it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from derb_gateway.toml_model import Settings, TomlPath

Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class Tls(Settings):
    """TLS towards a broker: its authority, and our certificate where it wants one."""

    ca_file: TomlPath | None = None
    cert_file: TomlPath | None = None
    key_file: TomlPath | None = None


class Connection(Settings):
    """Where an MQTT broker is and who we are there."""

    host: str = "127.0.0.1"
    port: Port = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    client_id: Name | None = None
    username: str | None = None
    password: str | None = None
    password_file: TomlPath | None = None
    tls: Tls | None = None
    keepalive_s: int = Field(default=20, ge=5, le=600)
    timeout_s: float = Field(default=10.0, gt=0)
    retry_base_s: float = Field(default=0.5, gt=0)
    retry_max_s: float = Field(default=30.0, gt=0)

    @model_validator(mode="after")
    def _one_password(self) -> "Connection":
        if self.password is not None and self.password_file is not None:
            raise ValueError("give password or password_file, not both")
        if (self.password or self.password_file) and self.username is None:
            raise ValueError("a password needs a username")
        return self

    def mqtt_version(self) -> int:
        """Return the version as the wire says it: 5, or 4 for 3.1.1."""
        return 5 if self.protocol == "5" else 4

    def secret(self) -> str | None:
        """Return the password, wherever it is kept."""
        return self.password_file.read_text().strip() if self.password_file else self.password
