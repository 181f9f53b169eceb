"""A peer that speaks MLLP with hl7.mllp of python3-hl7.

peer.py hl7 send HOST PORT CA FILE...   sends each file, and prints what it sent and the answer
peer.py hl7 serve [CERTIFICATE KEY]     prints its port, and then each message that it got

CA may be "" for no TLS. Every line on stdout is JSON. A server ends with its stdin.
"""

import asyncio
import json
import ssl
import sys

import hl7
from hl7.mllp import open_hl7_connection, start_hl7_server

LIMIT = 1 << 24  # the default, 64 KiB, breaks off at larger messages


def say(value):
    print(json.dumps(value), flush=True)


async def send(host, port, ca, *files):
    context = ssl.create_default_context(cafile=ca) if ca else None
    reader, writer = await open_hl7_connection(host, int(port), ssl=context, encoding="utf-8", limit=LIMIT)
    for name in files:
        with open(name, encoding="utf-8", newline="") as f:
            message = hl7.parse(f.read())
        writer.writemessage(message)
        await writer.drain()
        say({"sent": str(message), "ack": str(await reader.readmessage())})
    writer.close()
    await writer.wait_closed()


async def serve(certificate=None, key=None):
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)

    async def connected(reader, writer):
        try:
            while True:
                message = await reader.readmessage()
                writer.writemessage(message.create_ack())
                await writer.drain()
                say(str(message))
        except asyncio.IncompleteReadError:
            writer.close()

    server = await start_hl7_server(connected, "127.0.0.1", 0, ssl=context, encoding="utf-8", limit=LIMIT)
    say(server.sockets[0].getsockname()[1])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


_, _, what, *arguments = sys.argv
asyncio.run({"send": send, "serve": serve}[what](*arguments))
