package baseline;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;

/** Deterministic event ids (UUIDv5), digests and headers. One for each processor: the digests inside are used again. */
final class Ids {
    private static final byte[] NAMESPACE = HexFormat.of().parseHex("6f0c3d1e9f5b5c2e8a472d1b70e495a3");
    private static final HexFormat HEX = HexFormat.of();
    private static final byte[] ONE = bytes("1.0");
    private static final byte[] JSON = bytes("application/json");
    private static final String[] PASSED = {"ce_subject", "ce_correlationid", "ce_partitionkey", "traceparent"};

    private final MessageDigest sha1 = of("SHA-1");
    private final MessageDigest sha256 = of("SHA-256");

    static MessageDigest of(String name) {
        try {
            return MessageDigest.getInstance(name);
        } catch (NoSuchAlgorithmException cause) {
            throw new IllegalStateException(cause);
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    byte[] sha256(byte[] bytes) {
        return sha256.digest(bytes);
    }

    String hex256(byte[] bytes) {
        return HEX.formatHex(sha256.digest(bytes));
    }

    String uuid5(String name) {
        sha1.update(NAMESPACE);
        byte[] hash = sha1.digest(bytes(name));
        hash[6] = (byte) (hash[6] & 0x0f | 0x50);
        hash[8] = (byte) (hash[8] & 0x3f | 0x80);
        String hex = HEX.formatHex(hash, 0, 16);
        return hex.substring(0, 8) + '-' + hex.substring(8, 12) + '-' + hex.substring(12, 16) + '-' + hex.substring(16, 20) + '-'
            + hex.substring(20);
    }

    /** The id of an event about an application. */
    String event(String type, String tenant, String application, int revision, String ordinal) {
        return uuid5(type + '\u001f' + tenant + '\u001f' + application + '\u001f' + revision + '\u001f' + ordinal);
    }

    /** The id of an event that a record without an id of its own caused. */
    String coordinates(String type, String topic, int partition, long offset) {
        return uuid5(type + '\u001f' + topic + '\u001f' + partition + '\u001f' + offset);
    }

    /** Headers of an event that a record causes: same subject, key, correlation and trace. */
    static RecordHeaders child(Headers heads, byte[] source, String type, String event) {
        RecordHeaders made = new RecordHeaders();
        made.add("ce_specversion", ONE);
        made.add("ce_id", bytes(event));
        made.add("ce_source", source);
        made.add("ce_type", bytes(type));
        made.add("content-type", JSON);
        byte[] cause = value(heads, "ce_id");
        made.add("ce_causationid", cause == null ? new byte[0] : cause);
        for (String name : PASSED) {
            byte[] value = value(heads, name);
            if (value != null) {
                made.add(name, value);
            }
        }
        return made;
    }

    static byte[] value(Headers heads, String name) {
        Header header = heads.lastHeader(name);
        return header == null ? null : header.value();
    }

    static String textOf(Headers heads, String name) {
        byte[] value = value(heads, name);
        return value == null ? null : text(value);
    }
}
