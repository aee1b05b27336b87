'use strict';
// undici: the npm package undici in the scenes of tests/wire/test_real_node.py. Called with a scene
// and the proxy's port, prints a line of JSON for each event.

const { Client, WebSocket, fetch, request, upgrade } = require('undici');
const { createHash } = require('crypto');

const [scene, port, ...words] = process.argv.slice(2);
const url = `http://127.0.0.1:${port}`;

function report(event, facts) {
  console.log(JSON.stringify({ event, ...facts }));
}

async function* pieces(count, digest) {
  for (let n = 0; n < count; n++) {
    const piece = Buffer.alloc(10000, n);
    digest.update(piece);
    yield piece;
  }
}

const scenes = {
  async hints() {
    const client = new Client(url);
    const onInfo = ({ statusCode, headers }) =>
      report('information', { status: statusCode, link: headers.link });
    const { statusCode, body } = await client.request({ path: '/hints', method: 'GET', onInfo });
    report('response', { status: statusCode, body: await body.text() });
    await client.close();
  },

  // Many requests on one connection, none of which waits for the answer to the one before.
  async pipelined() {
    const client = new Client(url, { pipelining: 10 });
    const ask = async (n) => {
      const { body } = await client.request({ path: `/${n}`, method: 'GET', idempotent: true });
      return body.text();
    };
    const bodies = await Promise.all(Array.from({ length: 50 }, (_, n) => ask(n)));
    report('pipelined', { bodies });
    await client.close();
  },

  // A body of unknown length; words: the number of pieces.
  async stream() {
    const digest = createHash('sha256');
    const { statusCode, body } = await request(`${url}/upload`, {
      method: 'POST', body: pieces(Number(words[0]), digest),
    });
    const facts = await body.json();
    report('stream', { status: statusCode, ...facts, sent: digest.digest('hex') });
  },

  async fetch() {
    const body = Buffer.alloc(1 << 20, 'fetch');
    const answer = await fetch(`${url}/upload`, { method: 'PUT', body });
    const facts = await answer.json();
    const sent = createHash('sha256').update(body).digest('hex');
    report('fetch', { status: answer.status, via: answer.headers.get('via'), ...facts, sent });
  },

  // The policy refuses while the body is on its way: fetch gets the answer, not an error.
  async refused() {
    const body = Buffer.alloc(600000, 'x');
    const answer = await fetch(`${url}/refused`, { method: 'PUT', body });
    report('refused', { status: answer.status, body: await answer.text() });
  },

  async upgrade() {
    const { headers, socket } = await upgrade(url, { protocol: 'echo' });
    socket.end('all of it');
    const back = [];
    for await (const piece of socket) back.push(piece);
    report('echo', { upgrade: headers.upgrade, text: Buffer.concat(back).toString() });
  },

  websocket() {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`, ['chat.v2']);
    socket.onopen = () => socket.send('hello');
    socket.onmessage = ({ data }) => {
      report('message', { data, protocol: socket.protocol });
      socket.close(4001, 'bye');
    };
    socket.onclose = ({ code, reason, wasClean }) => report('close', { code, reason, wasClean });
  },
};

scenes[scene]();
