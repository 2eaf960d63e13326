package baseline;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** What the four hops have in common: where a record stands, and how one goes to a sink. */
abstract class Hop implements Processor<byte[], Object, byte[], Object> {
    private static final DateTimeFormatter MOMENT = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

    protected final String prefix;
    protected final Ids ids = new Ids();
    protected ProcessorContext<byte[], Object> context;

    Hop(String prefix) {
        this.prefix = prefix;
    }

    @Override
    public void init(ProcessorContext<byte[], Object> context) {
        this.context = context;
    }

    protected RecordMetadata place() {
        return context.recordMetadata().orElseThrow();
    }

    /** A topic's name without the prefix. */
    protected String base(RecordMetadata place) {
        return place.topic().substring(prefix.length());
    }

    protected void emit(String sink, byte[] key, Object value, long timestamp, Headers headers) {
        context.forward(new Record<>(key, value, timestamp, headers), sink);
    }

    /** Sets a record aside byte for byte, with its reason and coordinates. */
    protected void setAside(String sink, Record<byte[], Object> record, String stage, String reason) {
        RecordMetadata place = place();
        RecordHeaders headers = new RecordHeaders(record.headers());
        headers.add("dl_reason", Ids.bytes(reason));
        headers.add("dl_stage", Ids.bytes(stage));
        headers.add("dl_topic", Ids.bytes(base(place)));
        headers.add("dl_partition", Ids.bytes(Integer.toString(place.partition())));
        headers.add("dl_offset", Ids.bytes(Long.toString(place.offset())));
        emit(sink, record.key(), record.value(), record.timestamp(), headers);
    }

    static String moment(long ms) {
        return MOMENT.format(Instant.ofEpochMilli(ms));
    }
}
