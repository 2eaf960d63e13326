package baseline;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueStore;

/** credit.intake.v1 → credit.applications.v1 and replies: what was seen before is not decided again. State: 16 bytes → 25 bytes. */
final class Admit extends Hop {
    static final String STORE = "admit";
    static final String ACCEPTED = "application.accepted.v1";
    static final String WITHDRAWN = "application.withdrawn.v1";
    private static final long WINDOW_S = 30 * 86_400L;
    private static final int MARK = 1 << 31;
    private static final String REPLIED = "application.replied.v1";
    private static final String[] PASSED_ON = {
        "ce_subject", "ce_time", "ce_correlationid", "ce_partitionkey", "traceparent", "ce_tenant", "ce_datadigest", "ce_originid",
        "ce_originchannel", "ce_origintopic", "ce_originpartition", "ce_originoffset",
    };

    private final boolean fused;
    private KeyValueStore<byte[], byte[]> known;

    /** {@code fused}: what is accepted goes straight on to the scorer too. */
    Admit(String prefix, boolean fused) {
        super(prefix);
        this.fused = fused;
    }

    @Override
    public void init(ProcessorContext<byte[], Object> context) {
        super.init(context);
        known = context.getStateStore(STORE);
    }

    /** What is known of an application: version, digest, revision with the mark of a withdrawal, seconds of receipt. */
    private record Entry(byte[] digest, int mark, int seenS) {
        static Entry of(byte[] bytes) {
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            byte[] digest = new byte[16];
            buffer.position(1).get(digest);
            return new Entry(digest, buffer.getInt(), buffer.getInt());
        }

        byte[] bytes() {
            return ByteBuffer.allocate(25).put((byte) 1).put(digest).putInt(mark).putInt(seenS).array();
        }

        boolean isWithdrawn() {
            return (mark & MARK) != 0;
        }

        int revision() {
            return mark & ~MARK;
        }
    }

    /** What becomes of a record: a status, perhaps a problem, what is accepted and what is remembered. */
    private record Verdict(String status, String problem, String accepted, int revision, Entry entered) {
        static Verdict plain(String status, String problem) {
            return new Verdict(status, problem, null, 0, null);
        }
    }

    @Override
    public void process(Record<byte[], Object> record) {
        Headers heads = record.headers();
        byte[] name = Arrays.copyOf(ids.sha256(record.key()), 16);
        int receivedS = (int) (Long.parseLong(Ids.textOf(heads, "ce_receivedat")) / 1000);
        byte[] stored = known.get(name);
        Entry entry = stored == null ? null : Entry.of(stored);
        if (entry != null && record.timestamp() / 1000 > entry.seenS + 1 + WINDOW_S) {
            entry = null;
        }
        boolean withdrawal = WITHDRAWN.equals(Ids.textOf(heads, "ce_type"));
        int revision = withdrawal ? 0 : Integer.parseInt(Ids.textOf(heads, "ce_revision"));
        Verdict verdict = withdrawal ? withdrawal(entry, receivedS) : submission(entry, revision, heads, receivedS);
        if (verdict.entered != null) {
            known.put(name, verdict.entered.bytes());
        }
        String key = Ids.text(record.key());
        int bar = key.indexOf('|');
        String tenant = key.substring(0, bar);
        String application = key.substring(bar + 1);
        if (verdict.accepted != null) {
            accept(record, verdict, tenant, application);
        }
        reply(record, verdict, tenant, application, revision);
        if (verdict.problem != null && !verdict.status.equals("superseded")) {
            setAside("dead-letters-of-admit", record, "admit", verdict.problem);
        }
    }

    private static Verdict withdrawal(Entry entry, int receivedS) {
        if (entry == null) {
            return new Verdict("accepted", null, null, 0, new Entry(new byte[16], MARK, receivedS));
        }
        if (entry.isWithdrawn()) {
            return Verdict.plain("duplicate", null);
        }
        Entry entered = new Entry(entry.digest, entry.mark | MARK, Math.max(entry.seenS, receivedS));
        return new Verdict("accepted", null, WITHDRAWN, entry.mark, entered);
    }

    private static Verdict submission(Entry entry, int revision, Headers heads, int receivedS) {
        byte[] digest = HexFormat.of().parseHex(Ids.textOf(heads, "ce_datadigest"), 0, 32);
        int last = entry == null ? 0 : entry.revision();
        if (entry == null || revision > last && !entry.isWithdrawn()) {
            return new Verdict("accepted", null, ACCEPTED, revision, new Entry(digest, revision, receivedS));
        }
        if (revision > last) {
            return Verdict.plain("rejected", "withdrawn");
        }
        if (revision < last) {
            return Verdict.plain("superseded", "superseded");
        }
        return Arrays.equals(digest, entry.digest) ? Verdict.plain("duplicate", null) : Verdict.plain("conflict", "conflict");
    }

    private void accept(Record<byte[], Object> record, Verdict verdict, String tenant, String application) {
        Headers heads = record.headers();
        RecordHeaders headers = new RecordHeaders();
        headers.add("ce_specversion", Ids.bytes("1.0"));
        headers.add("ce_id", Ids.bytes(ids.event(verdict.accepted, tenant, application, verdict.revision, "")));
        headers.add("ce_source", Receive.SOURCE);
        headers.add("ce_type", Ids.bytes(verdict.accepted));
        headers.add("content-type", Ids.bytes("application/json"));
        headers.add("ce_causationid", Ids.value(heads, "ce_id"));
        headers.add("ce_revision", Ids.bytes(Integer.toString(verdict.revision)));
        headers.add("ce_receivedat", Ids.value(heads, "ce_receivedat"));
        for (String name : PASSED_ON) {
            byte[] value = Ids.value(heads, name);
            if (value != null) {
                headers.add(name, value);
            }
        }
        emit("applications", record.key(), record.value(), record.timestamp(), headers);
        if (fused) {
            emit("score", record.key(), record.value(), record.timestamp(), headers);
        }
    }

    private void reply(Record<byte[], Object> record, Verdict verdict, String tenant, String application, int revision) {
        Headers heads = record.headers();
        RecordMetadata place = place();
        byte[] body = Json.written(384, json -> write(json, heads, verdict, tenant, application, revision));
        String event = ids.coordinates(REPLIED, base(place), place.partition(), place.offset());
        RecordHeaders headers = Ids.child(heads, Receive.SOURCE, REPLIED, event);
        headers.add("ce_tenant", Ids.value(heads, "ce_tenant"));
        emit("replies-of-admit", record.key(), body, record.timestamp(), headers);
    }

    private static void write(JsonGenerator json, Headers heads, Verdict verdict, String tenant, String application, int revision)
            throws IOException {
        json.writeStartObject();
        json.writeStringField("status", verdict.status);
        json.writeStringField("tenant", tenant);
        json.writeStringField("application_id", application);
        if (revision > 0) {
            json.writeNumberField("revision", revision);
        }
        json.writeStringField("origin_id", Ids.textOf(heads, "ce_originid"));
        json.writeObjectFieldStart("origin");
        json.writeStringField("topic", Ids.textOf(heads, "ce_origintopic"));
        json.writeNumberField("partition", Integer.parseInt(Ids.textOf(heads, "ce_originpartition")));
        json.writeNumberField("offset", Long.parseLong(Ids.textOf(heads, "ce_originoffset")));
        json.writeEndObject();
        if (verdict.problem != null) {
            json.writeObjectFieldStart("problem");
            json.writeStringField("type", verdict.problem);
            json.writeEndObject();
        }
        json.writeEndObject();
    }
}
