'use strict';
// client: Node's http client in the scenes of tests/wire/test_real_node.py. Called with a scene and
// the proxy's port, prints a line of JSON for each event.

const http = require('http');
const { createHash } = require('crypto');

const [scene, port, ...words] = process.argv.slice(2);
const where = { host: '127.0.0.1', port };

function report(event, facts) {
  console.log(JSON.stringify({ event, ...facts }));
}

async function read(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function reportResponse(res, sent) {
  const body = await read(res);
  report('response', {
    status: res.statusCode, body: body.toString(), trailers: res.trailers, sent,
    close: res.headers.connection === 'close',
  });
}

// Node tells of a 100 twice: here, and as 'continue'.
function informed(info) {
  const { statusCode: status, statusMessage: reason, headers, rawHeaders } = info;
  report('information', { status, reason, link: headers.link, raw: rawHeaders });
}

const scenes = {
  // An upload whose body waits for the 100; words: path and size.
  upload() {
    let sent = 0;
    const body = Buffer.alloc(Number(words[1]), 'upload');
    const headers = { Expect: '100-continue', 'Content-Length': body.length };
    const req = http.request({ ...where, method: 'PUT', path: words[0], headers });
    req.on('continue', () => {
      report('continue', {});
      sent = body.length;
      req.end(body);
    });
    req.on('information', informed);
    req.on('response', async (res) => {
      await reportResponse(res, sent);
      req.destroy();
    });
    req.flushHeaders();
    report('sha256', { sha256: createHash('sha256').update(body).digest('hex') });
  },

  // The same, but the client leaves in the middle of the body.
  leave() {
    const headers = { Expect: '100-continue', 'Content-Length': 1 << 20 };
    const req = http.request({ ...where, method: 'PUT', path: '/upload', headers });
    req.on('error', () => {});
    req.on('continue', () => req.write(Buffer.alloc(1000), () => req.destroy()));
    req.on('close', () => report('left', {}));
    req.flushHeaders();
  },

  get() {
    const req = http.get({ ...where, path: words[0] });
    req.on('information', informed);
    req.on('response', (res) => reportResponse(res, 0));
  },

  // The answer is only given once the client that got the 103 has asked for its release.
  held() {
    const req = http.get({ ...where, path: '/held' });
    req.on('information', (info) => {
      informed(info);
      http.get({ ...where, path: '/release' }, (res) => reportResponse(res, 0));
    });
    req.on('response', (res) => reportResponse(res, 0));
  },

  async many() {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set();
    const bodies = [];
    for (let n = 0; n < 50; n++) {
      await new Promise((resolve, reject) => {
        const req = http.get({ ...where, agent, path: `/${n}` }, async (res) => {
          bodies.push((await read(res)).toString());
          resolve();
        });
        req.on('socket', (socket) => sockets.add(socket));
        req.on('error', reject);
      });
    }
    agent.destroy();
    report('many', { bodies, connections: sockets.size });
  },

  trailers() {
    const headers = { Trailer: 'X-Sum', 'Transfer-Encoding': 'chunked' };
    const req = http.request({ ...where, method: 'POST', path: '/upload', headers });
    req.on('response', (res) => reportResponse(res, 0));
    req.write('one,');
    req.write('two');
    req.addTrailers({ 'X-Sum': '2' });
    req.end();
  },

  async big() {
    http.get({ ...where, path: `/big?${words[0]}` }, async (res) => {
      const digest = createHash('sha256');
      let size = 0;
      for await (const piece of res) {
        digest.update(piece);
        size += piece.length;
      }
      report('big', { size, sha256: digest.digest('hex'), trailers: res.trailers });
    });
  },

  // words: the protocol to offer.
  upgrade() {
    const body = Buffer.alloc(1 << 20, 'tunnel');
    const headers = { Connection: 'Upgrade', Upgrade: words[0] };
    const req = http.get({ ...where, path: '/', headers });
    req.on('response', (res) => reportResponse(res, 0));
    req.on('upgrade', async (res, socket, head) => {
      report('upgrade', { status: res.statusCode, upgrade: res.headers.upgrade });
      socket.unshift(head);
      socket.end(body); // a half-close: the echo must still come back whole
      const back = await read(socket);
      report('echo', {
        early: back.subarray(0, 8).toString(), whole: back.subarray(8).equals(body),
      });
    });
  },
};

scenes[scene]();
