// The AsyncAPI document as the reference parser reads it. Prints each finding with its place, and ends with 1 when there is one.
import { fromFile, Parser } from '@asyncapi/parser';

const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
for (const { severity, message, path } of diagnostics) {
  console.log(`${['error', 'warning', 'information', 'hint'][severity]} at ${path.join('/')}: ${message}`);
}
const channels = document?.channels().all().length ?? 0;
console.log(`${channels} channels, ${document?.allMessages().all().length ?? 0} messages, ${diagnostics.length} findings`);
process.exit(diagnostics.length === 0 && channels > 0 ? 0 : 1);
