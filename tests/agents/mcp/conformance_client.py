"""The client that the MCP conformance suite drives: an agent of ours, given the address of the suite's server.

Tokens come by the SDK's own OAuth, with a browser that says yes at once.

conformance client --command "python tests/agents/mcp/conformance_client.py" --scenario tools_call
"""

from __future__ import annotations

import json
import os
import sys
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from choragus.agents import Agent, FunctionModel, McpServer, ModelReply, ModelRequest, Runtime, ToolCall

SERVER = "suite"
ARGUMENTS: dict[str, dict[str, object]] = {"add_numbers": {"a": 5, "b": 3}}
"""What the suite's tools want; all others take nothing."""
REDIRECT = "http://localhost:3000/callback"
CLIENT_METADATA = "https://conformance-test.local/client-metadata.json"


class Storage:
    """Tokens, as long as the process lives."""

    def __init__(self, client: OAuthClientInformationFull | None = None) -> None:
        self.client = client
        self.tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """Those that there are."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep them."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """What the client is known as."""
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep it."""
        self.client = client_info


class Browser:
    """Goes where it is sent, once, and remembers where it was sent back to."""

    def __init__(self) -> None:
        self.back = ""

    async def go(self, url: str) -> None:
        """Follow the address that a person would be shown."""
        async with httpx2.AsyncClient() as client:
            self.back = (await client.get(url)).headers["location"]

    async def came_back(self) -> AuthorizationCodeResult:
        """What stands in the address that it was sent back to."""
        given = {name: values[0] for name, values in parse_qs(urlsplit(self.back).query).items()}
        return AuthorizationCodeResult(code=given["code"], state=given.get("state"), iss=given.get("iss"))


def auth(scenario: str, url: str) -> httpx2.Auth:
    """What the scenario wants the client to do."""
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    match scenario:
        case "auth/client-credentials-basic":
            return ClientCredentialsOAuthProvider(url, Storage(), context["client_id"], context["client_secret"])
        case "auth/client-credentials-jwt":
            signed = SignedJWTParameters(
                issuer=context["client_id"],
                subject=context["client_id"],
                signing_key=context["private_key_pem"],
                signing_algorithm=context["signing_algorithm"],
            )
            made = signed.create_assertion_provider()
            return PrivateKeyJWTOAuthProvider(url, Storage(), context["client_id"], made)
        case _:
            return _by_browser(url, context)


def _by_browser(url: str, context: dict[str, str]) -> httpx2.Auth:
    browser, known = Browser(), None
    if "client_id" in context:
        how = {"token_endpoint_auth_method": "client_secret_basic", "redirect_uris": [REDIRECT]}
        known = OAuthClientInformationFull.model_validate({**context, **how})
    return OAuthClientProvider(
        url,
        OAuthClientMetadata.model_validate({"client_name": "choragus", "redirect_uris": [REDIRECT]}),
        Storage(known),
        redirect_handler=browser.go,
        callback_handler=browser.came_back,
        client_metadata_url=CLIENT_METADATA,
    )


def answer(request: ModelRequest) -> ModelReply:
    """Call each tool once, then tell what they said."""
    read = [message.text for message in request.messages if message.role == "tool"]
    names = [tool.name for tool in request.tools]
    if len(read) < len(names):
        name = names[len(read)]
        given = ARGUMENTS.get(name.removeprefix(f"{SERVER}__"), {})
        return ModelReply(calls=(ToolCall(f"call-{len(read)}", name, given),))
    return ModelReply(text="\n".join(read) or "it has no tools")


async def main(url: str) -> None:
    """Open, run, close."""
    scenario = os.environ.get("MCP_CONFORMANCE_SCENARIO", "")
    wants = auth(scenario, url) if scenario.startswith("auth/") else None
    server = McpServer(SERVER, url=url, risks={"*": "read"}, questions="defaults", auth=wants)
    agent = Agent("client", model=FunctionModel(answer), servers=[server])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Call everything.")
        print(await run.result(timeout=25))


if __name__ == "__main__":
    anyio.run(main, sys.argv[-1])
