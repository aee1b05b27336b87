'use strict';
// ws_client: the npm package ws in the scenes of tests/wire/test_real_ws.py. Called with a scene
// and the proxy's port, prints a line of JSON for each event.

const WebSocket = require('ws');
const { createCipheriv } = require('crypto');
const { once } = require('events');

const [scene, port, ...words] = process.argv.slice(2);

function report(event, facts) {
  console.log(JSON.stringify({ event, ...facts }));
}

function open(path, protocols, options) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols,
    { maxPayload: 64 << 20, ...options });
  socket.on('close', (code, reason) => report('close', { code, reason: reason.toString() }));
  return socket;
}

async function message(socket) {
  const [data, binary] = await once(socket, 'message');
  return { data, binary };
}

// Bytes that no compression makes small.
function noise(size) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(size));
}

const scenes = {
  // Every message comes back as it went; words: "plain" or "deflate".
  async echo() {
    const socket = open('/echo', [], { perMessageDeflate: words[0] === 'deflate' });
    await once(socket, 'open');
    let same = 0;
    const sizes = [0, 1, 125, 126, 127, 65535, 65536, 65537, 1 << 20];
    if (words[0] === 'plain') sizes.push(16 << 20);
    for (const size of sizes) {
      for (const binary of [true, false]) {
        const data = binary ? noise(size) : Buffer.alloc(size, 'text ');
        const back = message(socket);
        socket.send(data, { binary });
        const got = await back;
        same += got.data.equals(data) && got.binary === binary ? 1 : 0;
      }
    }
    report('echo', { same, sent: 2 * sizes.length, extensions: socket.extensions });
    socket.close(1000, 'done');
  },

  // Sent in fragments with pings between them, and sent back in other fragments.
  async pieces() {
    const socket = open('/pieces', [], { perMessageDeflate: false });
    let pings = 0;
    let pongs = 0;
    socket.on('ping', () => pings++);
    socket.on('pong', () => pongs++);
    await once(socket, 'open');
    const data = noise(500000);
    const back = message(socket);
    for (let n = 0; n < 5; n++) {
      socket.send(data.subarray(n * 100000, (n + 1) * 100000), { fin: n === 4 });
      if (n < 4) socket.ping(String(n));
    }
    const got = await back;
    report('pieces', { whole: got.data.equals(data), pings, pongs });
    socket.close(1000);
  },

  async ping() {
    const socket = open('/echo');
    await once(socket, 'open');
    const back = once(socket, 'pong');
    socket.ping('are you there?');
    report('pong', { data: (await back)[0].toString() });
    socket.close();
  },

  // words: code and reason.
  async close() {
    const socket = open('/echo');
    await once(socket, 'open');
    socket.close(Number(words[0]), words[1]);
  },

  async enough() {
    const socket = open('/enough');
    await once(socket, 'open');
    socket.send('one');
  },

  async terminate() {
    const socket = open('/echo');
    await once(socket, 'open');
    const back = message(socket);
    socket.send('one');
    await back;
    socket.terminate();
  },

  // words: the subprotocols to offer.
  async protocols() {
    const socket = open('/echo', words, { origin: 'https://app.example' });
    await once(socket, 'open');
    report('open', { protocol: socket.protocol });
    socket.close(1000);
  },

  refused() {
    const socket = open(words[0]);
    socket.on('error', () => {});
    socket.on('unexpected-response', (req, res) => {
      report('refused', { status: res.statusCode });
      req.destroy();
    });
  },

  // words: how many sockets at once.
  async crowd() {
    const one = async (n) => {
      const socket = open('/echo');
      await once(socket, 'open');
      for (let m = 0; m < 10; m++) {
        const back = message(socket);
        socket.send(`${n} ${m}`);
        if ((await back).data.toString() !== `${n} ${m}`) throw new Error('another message');
      }
      socket.close(1000);
      await once(socket, 'close');
    };
    await Promise.all(Array.from({ length: Number(words[0]) }, (_, n) => one(n)));
    report('crowd', {});
  },
};

scenes[scene]();
