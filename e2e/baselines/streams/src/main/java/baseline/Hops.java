package baseline;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.Stores;

/** The topology: receive, and behind its re-keyed topic admit, score and decide, in one sub-topology or each in its own. */
final class Hops {
    private final String prefix;
    private final Topology topology = new Topology();

    private Hops(String prefix) {
        this.prefix = prefix;
    }

    /**
     * {@code fused}: scorer and decision take what the hop before has in hand, and the topics between them are written but not read.
     * {@code rocks}: the state is in RocksDB and not in memory.
     */
    static Topology build(Path root, String prefix, Trees.Explainer explainer, boolean fused, boolean rocks) throws IOException {
        Map<String, Schema> schemas = Schema.of(root.resolve("schemas/json"), Receive.TYPES);
        Score.Models models = new Score.Models(root, explainer);
        String policy = Decide.policy(root);
        Hops hops = new Hops(prefix);
        hops.hop("receive", "loan.applications.v1", () -> new Receive(prefix, schemas));
        hops.sink("intake", "credit.intake.v1", "receive");
        hops.sink("identities", "credit.identities.v1", "receive");
        hops.sink("protected", "credit.protected.v1", "receive");
        hops.sink("replies-of-receive", "loan.replies.v1", "receive");
        hops.sink("dead-letters-of-receive", "credit.dead-letters.v1", "receive");
        hops.hop("admit", "credit.intake.v1", () -> new Admit(prefix, fused));
        KeyValueBytesStoreSupplier store =
            rocks ? Stores.persistentKeyValueStore(Admit.STORE) : Stores.inMemoryKeyValueStore(Admit.STORE);
        hops.topology.addStateStore(
            Stores.keyValueStoreBuilder(store, Serdes.ByteArray(), Serdes.ByteArray()).withCachingDisabled(), "admit");
        hops.sink("applications", "credit.applications.v1", "admit");
        hops.sink("replies-of-admit", "loan.replies.v1", "admit");
        hops.sink("dead-letters-of-admit", "credit.dead-letters.v1", "admit");
        ProcessorSupplier<byte[], Object, byte[], Object> score = () -> new Score(prefix, models, fused);
        ProcessorSupplier<byte[], Object, byte[], Object> decide = () -> new Decide(prefix, policy);
        if (fused) {
            hops.topology.addProcessor("score", score, "admit");
            hops.topology.addProcessor("decide", decide, "score");
        } else {
            hops.hop("score", "credit.applications.v1", score);
            hops.hop("decide", "credit.risk.v1", decide);
        }
        hops.sink("risk", "credit.risk.v1", "score");
        hops.sink("decisions", "credit.decisions.v1", "decide");
        return hops.topology;
    }

    private void hop(String name, String topic, ProcessorSupplier<byte[], Object, byte[], Object> supplier) {
        topology.addSource("from-" + topic, new ByteArrayDeserializer(), new ByteArrayDeserializer(), prefix + topic);
        topology.addProcessor(name, supplier, "from-" + topic);
    }

    private void sink(String name, String topic, String parent) {
        topology.addSink(name, prefix + topic, new ByteArraySerializer(), new ByteArraySerializer(), parent);
    }
}
