"""A login with requests-oauthlib, as its documentation writes it: id and secret, a challenge, one session."""

import json
import sys

from requests_oauthlib import OAuth2Session

broker, client_id, client_secret, redirect_uri, scope = sys.argv[1:]
session = OAuth2Session(client_id, redirect_uri=redirect_uri, scope=scope.split(), pkce="S256")
address, _ = session.authorization_url(f"{broker}/authorize")
print("OPEN", address, flush=True)
token = session.fetch_token(
    f"{broker}/token", authorization_response=sys.stdin.readline().strip(), client_secret=client_secret
)
user = session.get(f"{broker}/userinfo").json()
print(json.dumps({"scope": token["scope"], "user": user}))
