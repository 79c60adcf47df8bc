"""A mail server that writes down what it takes, one JSON object a line.

Arguments: port, chain, key, how TLS begins (starttls, tls, none), file to write to.
It wants the login portreeve/right, but for `none`, and knows nobody called nobody.
"""

import json
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

port, chain, key, begins, path = sys.argv[1:6]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        taken = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None or begins == "tls",
            "signed_in": bool(session.authenticated),
            "message": envelope.content.decode("utf-8", "replace"),
        }
        with open(path, "a") as file:
            file.write(json.dumps(taken) + "\n")
        return "250 OK"


def authenticate(server, session, envelope, mechanism, login):
    good = login.login == b"portreeve" and login.password == b"right"
    return AuthResult(success=good, handled=good)


settings = {"hostname": "127.0.0.1", "port": int(port), "authenticator": authenticate}
if begins == "starttls":
    settings |= {"tls_context": context, "require_starttls": True, "auth_required": True}
elif begins == "tls":
    settings |= {"ssl_context": context, "auth_required": True, "auth_require_tls": False}
Controller(Handler(), **settings).start()
print("ready", flush=True)
# Ends with whoever started it.
sys.stdin.read()
