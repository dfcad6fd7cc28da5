// Compiles standard JSON with npm's solc, called the way the native compiler is called:
//   compiler.js EXPECTED_VERSION --standard-json [FILE] [--base-path DIR] [--include-path DIR]... [--allow-paths ...]
'use strict';
const fs = require('fs');
const path = require('path');

const [expected, ...args] = process.argv.slice(2);
const fail = (message) => {
  process.stderr.write(`${message}\n`);
  process.exit(1);
};

let standardJson = false;
let inputFile = 0; // stdin
const folders = [process.cwd()];
for (let i = 0; i < args.length; i++) {
  const [option, inline] = args[i].split(/=(.*)/s);
  const value = () => inline ?? args[++i];
  if (option === '--standard-json') standardJson = true;
  else if (option === '--base-path') folders[0] = value();
  else if (option === '--include-path') folders.push(value());
  else if (option === '--allow-paths') value();
  else if (option === '--pretty-json' || option === '--no-color') continue;
  else if (!option.startsWith('-') && standardJson) inputFile = args[i];
  else if (option !== '-') fail(`unrecognised option '${args[i]}': this compiler speaks --standard-json only`);
}
if (!standardJson) fail('this compiler speaks --standard-json only');

const solc = require('solc');
// emscripten's handler prints the whole minified compiler before an error
process.removeAllListeners('uncaughtException');
process.removeAllListeners('unhandledRejection');
if (!solc.version().startsWith(expected)) fail(`expected solc ${expected}, npm installed ${solc.version()}`);

const findImport = (name) => {
  for (const folder of folders) {
    const file = path.resolve(folder, name);
    if (fs.existsSync(file)) return { contents: fs.readFileSync(file, 'utf8') };
  }
  return { error: `File not found: ${name}` };
};

const input = JSON.parse(fs.readFileSync(inputFile, 'utf8'));
// brownie passes null for "the default", which the native compiler's callers leave out
if (input.settings?.evmVersion === null) delete input.settings.evmVersion;
process.stdout.write(`${solc.compile(JSON.stringify(input), { import: findImport })}\n`);
