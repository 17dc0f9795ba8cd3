"""The endpoints that the specifications name, one view each: parse, one call of a room, render."""

from idp.web.protocol import authorize, check_session, logout, platform, register, tokens, userinfo

DOORS = (
    authorize.door,
    tokens.door,
    userinfo.door,
    logout.door,
    check_session.door,
    register.door,
    platform.door,
)
