'use strict';
// server: Node's http server as an origin. Prints its port once it listens, then a line of JSON for
// each event that a test may want to know of.
//
//   /upload     reads the body, reports its size, SHA-256 and trailers
//   /progress   the same, with a 102 before it reads
//   /refuse     413 to an expectation, /early 200 to it; the body is not read
//   /hints      two 103, a 102, the page
//   /held       a 103; the page once /release has been asked for
//   /trailers   a chunked body in three pieces, and a trailer
//   /big?SIZE   so many bytes, with their SHA-256 as a trailer
//   else        a greeting with the target

const http = require('http');
const { createHash } = require('crypto');
const { Readable, pipeline } = require('stream');

const held = [];

function report(event, facts) {
  console.log(JSON.stringify({ event, ...facts }));
}

function readBody(req, res) {
  const digest = createHash('sha256');
  let size = 0;
  req.on('data', (piece) => {
    digest.update(piece);
    size += piece.length;
  });
  req.on('end', () => {
    const facts = { size, sha256: digest.digest('hex'), trailers: req.trailers };
    res.setHeader('Content-Type', 'application/json');
    res.end(JSON.stringify(facts));
  });
  req.on('aborted', () => report('aborted', { url: req.url }));
}

function* pieces(size, digest) {
  for (let at = 0; at < size; at += 65536) {
    const piece = Buffer.alloc(Math.min(65536, size - at), at / 65536);
    digest.update(piece);
    yield piece;
  }
}

function sendBig(req, res) {
  const digest = createHash('sha256');
  res.writeHead(200, { Trailer: 'X-SHA256' });
  const source = Readable.from(pieces(Number(req.url.split('?')[1]), digest));
  source.on('end', () => res.addTrailers({ 'X-SHA256': digest.digest('hex') }));
  pipeline(source, res, () => {});
}

function sendHints(res) {
  res.writeEarlyHints({ link: '</a.css>; rel=preload' });
  res.writeEarlyHints({ link: ['</b.js>; rel=preload', '</c.js>; rel=preload'], 'x-n': '2' });
  res.writeProcessing();
  res.end('page');
}

function sendTrailers(res) {
  res.writeHead(200, { Trailer: 'X-Sum' });
  res.write('one,');
  res.write('two,');
  res.write('three');
  res.addTrailers({ 'X-Sum': '3' });
  res.end();
}

const ways = {
  '/upload': readBody,
  '/progress'(req, res) {
    res.writeProcessing();
    readBody(req, res);
  },
  '/big': sendBig,
  '/hints': (req, res) => sendHints(res),
  '/trailers': (req, res) => sendTrailers(res),
  '/held'(req, res) {
    held.push(() => res.end('page'));
    res.writeEarlyHints({ link: '</a.css>; rel=preload' });
  },
  '/release'(req, res) {
    held.splice(0).forEach((release) => release());
    res.end('released');
  },
};

const server = http.createServer((req, res) => {
  const way = ways[req.url.split('?')[0]];
  if (way) way(req, res);
  else res.end(`hello from ${req.url}`);
});

server.on('checkContinue', (req, res) => {
  report('checkContinue', { url: req.url });
  if (req.url === '/refuse') {
    res.writeHead(413);
    res.end('too much for node');
  } else if (req.url === '/early') {
    res.end('not needed');
  } else {
    res.writeContinue();
    server.emit('request', req, res);
  }
});

server.on('checkExpectation', (req, res) => {
  report('checkExpectation', { url: req.url, expect: req.headers.expect });
  res.writeHead(417);
  res.end();
});

// An echo in no protocol but its own; its first words come with the 101, in one segment.
server.on('upgrade', (req, socket, head) => {
  report('upgrade', { upgrade: req.headers.upgrade, early: head.length });
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n' +
    'welcome ');
  socket.on('error', () => {});
  socket.on('close', () => report('tunnel closed', {}));
  socket.pipe(socket);
});

server.on('connection', () => report('connection', {}));
server.on('clientError', (error, socket) => {
  report('clientError', { code: error.code });
  socket.destroy();
});
server.keepAliveTimeout = 60000;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
