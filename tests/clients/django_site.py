"""A Django site of somebody else's in one file: people sign in through django-allauth with OpenID Connect."""

import sys
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import include, path

issuer, client_id, secret, folder, with_pkce = sys.argv[1:]
settings.configure(
    SECRET_KEY="only for this test",
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(folder) / "site.db"}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "allauth",
        "allauth.account",
        "allauth.socialaccount",
        "allauth.socialaccount.providers.openid_connect",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "allauth.account.middleware.AccountMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
        }
    ],
    LOGIN_REDIRECT_URL="/me",
    SOCIALACCOUNT_LOGIN_ON_GET=True,
    SOCIALACCOUNT_PROVIDERS={
        "openid_connect": {
            "OAUTH_PKCE_ENABLED": with_pkce == "yes",
            "APPS": [
                {
                    "provider_id": "github",
                    "name": "GitHub",
                    "client_id": client_id,
                    "secret": secret,
                    "settings": {"server_url": issuer},
                }
            ],
        }
    },
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402 - Django wants to be set up first
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402


def me(request: HttpRequest) -> JsonResponse:
    found = User.objects.get(pk=request.user.pk)
    account = found.socialaccount_set.get()  # type: ignore[attr-defined]  # allauth adds it
    uid = {"uid": account.uid, "provider": account.provider}
    return JsonResponse({"username": found.username, "email": found.email, **uid})


urlpatterns = [path("accounts/", include("allauth.urls")), path("me", me)]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing: the address holds a code."""


call_command("migrate", verbosity=0)
server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet)
print(f"READY http://localhost:{server.server_port}", flush=True)
server.serve_forever()
