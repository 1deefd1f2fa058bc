"""`[[camera]]` and `[[patrol]]`: what is looked at, with the purpose that the law asks for."""

from pydantic import Field

from gateway.config.keys import Id
from gateway.tomlfile import Section


class Camera(Section):
    """`[[camera]]`: one camera, with the purpose that the law asks for."""

    id: Id = Field(description='letters, digits, "_", "." and "-", such as "gate"')
    source: str = Field(min_length=1, description='"rtsp://...", /dev/video0, "http://.../snapshot.jpg" or dir:FOLDER')
    place: str = Field("", description="where it is")
    interval: float = Field(2.0, gt=0, description="seconds between looks")
    purpose: str = Field(min_length=1, description='what it is for, such as "public safety: fire lane"')
    owner: str = Field(min_length=1, description='who answers for it, such as "Qingxi village committee"')
    sign: str = Field(min_length=1, description='where its sign is documented, such as "2026-05-01 photo 12"')


class Patrol(Section):
    """`[[patrol]]`: a tour of cameras."""

    name: Id = Field(description='letters, digits, "_", "." and "-", such as "evening"')
    stops: list[str] = Field(min_length=1, description='the ids of cameras in order, such as ["gate", "market"]')
    dwell: float = Field(5.0, gt=0, description="seconds at each stop")
