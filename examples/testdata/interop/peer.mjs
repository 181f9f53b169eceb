// A peer that speaks MLLP with a package of npm's, from the folder that LADLE_INTEROP names.
//
// peer.mjs PACKAGE send HOST PORT CA FILE...   sends each file, and prints what it sent and the answer
// peer.mjs PACKAGE serve [CERTIFICATE KEY]     prints its port, and then each message that it got
//
// CA may be "" for no TLS. Every line on stdout is JSON. A server ends with its stdin.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(resolve(process.env.LADLE_INTEROP), "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const raw = (text) => text.replace(/^\x0b/, "").replace(/\x1c\r$/, "");

// A peer's connect resolves to how to send one text, which resolves to what was sent and
// the answer, and how to close. Its serve resolves to the port.
const peers = {
  "simple-hl7": {
    async connect(host, port) {
      const { default: hl7 } = await load("simple-hl7");
      const client = new hl7.Server.createTcpClient({ host, port, keepalive: true });
      return {
        send: (text) => new Promise((done, failed) => {
          const message = new hl7.Parser({ segmentSeperator: "\r" }).parse(text);
          client.send(message, (err, ack) => (err ? failed(err) : done({ sent: message.toString(), ack: ack.toString() })));
        }),
        close: () => client.close(),
      };
    },
    async serve() {
      const { default: hl7 } = await load("simple-hl7");
      const app = hl7.tcp({ parser: new hl7.Parser({ segmentSeperator: "\r" }) });
      app.use((req, res) => {
        say(raw(req.raw));
        res.end();
      });
      const { server } = app.start(0);
      return new Promise((done) => server.on("listening", () => done(server.address().port)));
    },
  },

  "@medplum/hl7": {
    async connect(host, port) {
      const { Hl7Client } = await load("@medplum/hl7");
      const { Hl7Message } = await load("@medplum/core");
      const client = new Hl7Client({ host, port, keepAlive: true });
      return {
        async send(text) {
          const message = Hl7Message.parse(text);
          const ack = await client.sendAndWait(message);
          return { sent: message.toString(), ack: ack.toString() };
        },
        close: () => client.close(),
      };
    },
    async serve() {
      const { Hl7Server } = await load("@medplum/hl7");
      const server = new Hl7Server((connection) => {
        connection.addEventListener("message", ({ message }) => {
          say(message.toString());
          connection.send(message.buildAck());
        });
      });
      await server.start(0);
      return new Promise((done) => server.server.on("listening", () => done(server.server.address().port)));
    },
  },

  "hl7v2-net": {
    async serve() {
      const { HL7Server } = await load("hl7v2-net");
      const server = HL7Server.createServer();
      server.use(async ({ message }) => say(message.toHL7String()));
      await server.listen(0, "127.0.0.1");
      return server.address().port;
    },
  },

  "node-hl7-client": {
    async connect(host, port, ca) {
      const { Client, Message } = await load("node-hl7-client");
      let answered;
      const client = new Client({ host, ...(ca && { tls: { ca } }) });
      const connection = client.createConnection({ port }, (res) => answered(res.getMessage().toString()));
      await new Promise((done) => connection.on("connect", done));
      return {
        async send(text) {
          const message = new Message({ text });
          const ack = new Promise((done) => (answered = done));
          await connection.sendMessage(message);
          return { sent: message.toString(), ack: await ack };
        },
        close: () => connection.close(),
      };
    },
  },

  "node-hl7-server": {
    async serve(tls) {
      const { Server } = await load("node-hl7-server");
      const inbound = new Server({ bindAddress: "127.0.0.1", ...(tls && { tls }) }).createInbound({ port: 0 }, (req, res) => {
        say(req.getMessage().toString());
        res.sendResponse("AA");
      });
      return new Promise((done) => inbound.on("listen", () => done(inbound._socket.address().port)));
    },
  },
};

const [name, what, ...rest] = process.argv.slice(2);
if (what === "send") {
  const [host, port, ca, ...files] = rest;
  const connection = await peers[name].connect(host, Number(port), ca && readFileSync(ca));
  for (const file of files) say(await connection.send(readFileSync(file, "utf8")));
  await connection.close();
  process.stdout.write("", () => process.exit());
} else {
  const [cert, key] = rest.map((file) => readFileSync(file));
  say(await peers[name].serve(cert && { cert, key }));
  process.stdin.on("end", () => process.exit(0)).resume();
}
