package baseline;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** As much of an ONNX file as the packages need: attributes of nodes, and tensors. Protocol buffers, read by hand. */
final class Onnx {
    final List<Node> nodes = new ArrayList<>();
    /** Raw little-endian content, by name. */
    final Map<String, ByteBuffer> tensors = new HashMap<>();

    /** A node with its attributes. */
    static final class Node {
        String type = "";
        final Map<String, Attribute> attributes = new HashMap<>();
    }

    /** An attribute; which list is filled depends on its type. */
    static final class Attribute {
        final List<Float> floats = new ArrayList<>();
        final List<Long> ints = new ArrayList<>();
        final List<String> strings = new ArrayList<>();

        float[] floatArray() {
            float[] all = new float[floats.size()];
            for (int i = 0; i < all.length; i++) {
                all[i] = floats.get(i);
            }
            return all;
        }

        int[] intArray() {
            return ints.stream().mapToInt(Long::intValue).toArray();
        }
    }

    /** What a field holds: a number, or bytes. */
    private interface Field {
        void take(int number, long value, ByteBuffer bytes);
    }

    static Onnx parse(byte[] model) {
        Onnx onnx = new Onnx();
        fields(ByteBuffer.wrap(model), (number, value, bytes) -> {
            if (number == 7) {
                fields(bytes, onnx::graph);
            }
        });
        return onnx;
    }

    private void graph(int number, long value, ByteBuffer bytes) {
        if (number == 1) {
            Node node = new Node();
            fields(bytes, (field, ignored, content) -> {
                if (field == 4) {
                    node.type = text(content);
                } else if (field == 5) {
                    attribute(node, content);
                }
            });
            nodes.add(node);
        } else if (number == 5) {
            String[] name = new String[1];
            ByteBuffer[] raw = new ByteBuffer[1];
            fields(bytes, (field, ignored, content) -> {
                if (field == 8) {
                    name[0] = text(content);
                } else if (field == 9) {
                    raw[0] = content.slice().order(ByteOrder.LITTLE_ENDIAN);
                }
            });
            tensors.put(name[0], raw[0]);
        }
    }

    private static void attribute(Node node, ByteBuffer bytes) {
        Attribute made = new Attribute();
        String[] name = new String[1];
        fields(bytes, (field, value, content) -> {
            switch (field) {
                case 1 -> name[0] = text(content);
                case 4, 9 -> made.strings.add(text(content));
                case 2 -> made.floats.add(Float.intBitsToFloat((int) value));
                case 3 -> made.ints.add(value);
                case 7 -> {
                    if (content == null) {
                        made.floats.add(Float.intBitsToFloat((int) value));
                    } else {
                        content.order(ByteOrder.LITTLE_ENDIAN);
                        while (content.hasRemaining()) {
                            made.floats.add(content.getFloat());
                        }
                    }
                }
                case 8 -> {
                    if (content == null) {
                        made.ints.add(value);
                    } else {
                        while (content.hasRemaining()) {
                            made.ints.add(varint(content));
                        }
                    }
                }
                default -> { }
            }
        });
        node.attributes.put(name[0], made);
    }

    private static void fields(ByteBuffer buffer, Field field) {
        buffer.order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining()) {
            long tag = varint(buffer);
            int number = (int) (tag >>> 3);
            switch ((int) tag & 7) {
                case 0 -> field.take(number, varint(buffer), null);
                case 1 -> field.take(number, buffer.getLong(), null);
                case 2 -> {
                    int length = (int) varint(buffer);
                    ByteBuffer content = buffer.slice(buffer.position(), length);
                    buffer.position(buffer.position() + length);
                    field.take(number, 0, content);
                }
                case 5 -> field.take(number, buffer.getInt() & 0xffff_ffffL, null);
                default -> throw new IllegalArgumentException("no protocol buffer");
            }
        }
    }

    private static long varint(ByteBuffer buffer) {
        long value = 0;
        for (int shift = 0; ; shift += 7) {
            byte next = buffer.get();
            value |= (long) (next & 0x7f) << shift;
            if (next >= 0) {
                return value;
            }
        }
    }

    private static String text(ByteBuffer bytes) {
        byte[] copy = new byte[bytes.remaining()];
        bytes.duplicate().get(copy);
        return Ids.text(copy);
    }
}
