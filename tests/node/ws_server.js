'use strict';
// ws_server: the npm package ws as an origin. Prints its port once it listens, then a line of JSON
// for each event that a test may want to know of.
//
//   /echo     sends back what comes, text as text
//   /pieces   sends back what comes, each message in fragments with a ping between them
//   /enough   closes with 4002 at the first message
//   /refused  401

const { WebSocketServer } = require('ws');

function report(event, facts) {
  console.log(JSON.stringify({ event, ...facts }));
}

function sendInPieces(socket, data, binary) {
  const size = Math.ceil(data.length / 7);
  for (let at = 0; at < data.length; at += size) {
    const fin = at + size >= data.length;
    socket.send(data.subarray(at, at + size), { binary, fin });
    if (!fin) socket.ping(String(at));
  }
}

const ways = {
  '/echo': (socket, data, binary) => socket.send(data, { binary }),
  '/pieces': sendInPieces,
  '/enough': (socket) => socket.close(4002, 'enough'),
};

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  maxPayload: 64 << 20,
  perMessageDeflate: true,
  handleProtocols: (offered) => (offered.has('chat.v2') ? 'chat.v2' : false),
  verifyClient: ({ req }, answer) => answer(req.url !== '/refused', 401),
}, () => console.log(server.address().port));

server.on('connection', (socket, req) => {
  report('connection', { url: req.url, origin: req.headers.origin, deflate: socket.extensions });
  socket.on('message', (data, binary) => ways[req.url](socket, data, binary));
  socket.on('ping', (data) => report('ping', { data: data.toString() }));
  socket.on('close', (code, reason) => report('close', { code, reason: reason.toString() }));
  socket.on('error', () => {});
});
