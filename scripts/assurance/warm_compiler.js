// solc that stays loaded: of the 4 s of CPU that one contract takes from the start, 3 go into loading and optimising the compiler.
//   warm_compiler.js SOCKET serve     answers until it is ended
//   warm_compiler.js SOCKET           compiles standard JSON from stdin, as solc-v* does
'use strict';
const fs = require('fs');
const net = require('net');
const path = require('path');

const [socket, serve] = process.argv.slice(2);

const whole = (stream, then) => {
  const parts = [];
  stream.on('data', (part) => parts.push(part));
  stream.on('end', () => then(Buffer.concat(parts)));
};

if (serve) {
  const solc = require('solc');
  // brownie leaves imports to the compiler; forge does not.
  const findImport = (name) => {
    const file = path.resolve(name);
    return fs.existsSync(file) ? { contents: fs.readFileSync(file, 'utf8') } : { error: `File not found: ${name}` };
  };
  const answer = (connection) =>
    whole(connection, (request) => {
      const input = JSON.parse(request);
      // brownie passes null for "the default"
      if (input.settings?.evmVersion === null) delete input.settings.evmVersion;
      connection.end(solc.compile(JSON.stringify(input), { import: findImport }));
    });
  net.createServer({ allowHalfOpen: true }, answer).listen(socket);
} else {
  const connection = net.createConnection(socket);
  connection.on('error', (error) => {
    process.stderr.write(`${error}\n`);
    process.exit(1);
  });
  whole(connection, (output) => process.stdout.write(output));
  process.stdin.pipe(connection);
}
