"""Attack 45: mallory uses up the turns of a host, so that its metadata document cannot be had any more."""

from __future__ import annotations

import asyncio

import https_server
import pytest
from document_host import HOST, URL, Scene, body, scene
from https_server import page

from trackeep.broker.document_rules import DocumentRefused
from trackeep.broker.documents import KEPT_S, LONGEST_KEPT_S, MOST_PER_ADDRESS

pytestmark = pytest.mark.anyio

OTHERS = [f"name{number}.mallory.example" for number in range(MOST_PER_ADDRESS)]


async def only_the_document(head: str, writer: https_server.Writer) -> None:
    """What a host has: its document, and nothing at the paths that mallory makes up."""
    there = head.startswith("GET /trackeep/.well-known/oauth-client ")
    await page(body() if there else b"", status="200 OK" if there else "404 Not Found")(head, writer)


async def name_others(it: Scene) -> None:
    """Mallory names hosts that are all at the same address, as those of one large provider are."""
    urls = [f"https://{name}/x" for name in OTHERS]
    await asyncio.gather(*map(it.documents.fetch, urls), return_exceptions=True)


async def test_made_up_paths_do_not_use_up_the_documents_turn() -> None:
    """Day after day mallory asks for another path just before: the document is still asked for and had."""
    async with scene(only_the_document) as it:
        first = await it.documents.fetch(URL)
        for number in range(30):
            it.clock.now += KEPT_S + 1
            with pytest.raises(DocumentRefused):
                await it.documents.fetch(f"https://{HOST}/{number}")
            assert await it.documents.fetch(URL) == first
        assert it.server.connections == 61


async def test_a_known_document_stands_in_while_mallory_keeps_the_service_busy() -> None:
    """Neighbours of the host are asked so often that it may not be: what it said lasts, for a day."""
    async with scene(page(body()), HOST, *OTHERS) as it:
        first = await it.documents.fetch(URL)
        it.clock.now += KEPT_S + 1
        await name_others(it)
        asked = it.server.connections
        assert await it.documents.fetch(URL) == first
        assert it.server.connections == asked
        it.clock.now += LONGEST_KEPT_S
        await name_others(it)
        with pytest.raises(DocumentRefused):
            await it.documents.fetch(URL)


async def test_what_was_taken_down_stands_in_for_nothing() -> None:
    """Once its host has said that there is no document, mallory's noise does not bring it back."""
    async with scene(page(body()), HOST, *OTHERS) as it:
        await it.documents.fetch(URL)
        it.clock.now += KEPT_S + 1
        it.server.answer = page(b"", status="404 Not Found")
        with pytest.raises(DocumentRefused):
            await it.documents.fetch(URL)
        it.clock.now += 31
        await name_others(it)
        with pytest.raises(DocumentRefused):
            await it.documents.fetch(URL)


async def test_a_known_document_stands_in_while_its_host_cannot_be_reached() -> None:
    """Mallory floods the host itself, or the name server: people still get to what it said today."""
    async with scene(page(body())) as it:
        first = await it.documents.fetch(URL)
        it.clock.now += KEPT_S + 1
        it.server.answer = hang_up
        assert await it.documents.fetch(URL) == first
        asked = it.server.connections
        assert await it.documents.fetch(URL) == first
        assert it.server.connections == asked
        it.clock.now += LONGEST_KEPT_S
        with pytest.raises(DocumentRefused):
            await it.documents.fetch(URL)


async def hang_up(_head: str, writer: https_server.Writer) -> None:
    writer.close()
