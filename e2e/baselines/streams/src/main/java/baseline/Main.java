package baseline;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/** Runs the hops until SIGTERM, or until one of their threads fails: {@code --name value …}, see e2e/baselines/streams/run. */
final class Main {
    private static final int MAX_REQUEST_BYTES = 17 << 20;

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> said = new HashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            said.put(arguments[i], arguments[i + 1]);
        }
        String prefix = said.getOrDefault("--prefix", "");
        Trees.Explainer explainer = Trees.Explainer.of(said.getOrDefault("--contributions", "exact"));
        boolean fused = said.getOrDefault("--hops", "fused").equals("fused");
        boolean rocks = said.getOrDefault("--store", "memory").equals("rocksdb");
        KafkaStreams streams =
            new KafkaStreams(Hops.build(Path.of(said.get("--root")), prefix, explainer, fused, rocks), properties(said, prefix));
        CountDownLatch ended = new CountDownLatch(1);
        boolean[] failed = new boolean[1];
        streams.setUncaughtExceptionHandler(cause -> {
            cause.printStackTrace();
            failed[0] = true;
            ended.countDown();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            ended.countDown();
            try {
                main.join(20_000);
            } catch (InterruptedException cause) {
                Thread.currentThread().interrupt();
            }
        }));
        streams.start();
        ended.await();
        streams.close(Duration.ofSeconds(15));
        streams.cleanUp();
        if (failed[0]) {
            Runtime.getRuntime().halt(1);
        }
    }

    private static Properties properties(Map<String, String> said, String prefix) throws IOException {
        Properties to = new Properties();
        to.put(StreamsConfig.APPLICATION_ID_CONFIG, prefix + "streams-baseline");
        to.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, said.get("--bootstrap"));
        to.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        to.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, said.getOrDefault("--threads", "1"));
        to.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("streams-baseline").toString());
        // Left alone, it is Kafka's default under exactly once: 100 ms.
        if (said.containsKey("--commit-interval")) {
            to.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, said.get("--commit-interval"));
        }
        to.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        to.put(StreamsConfig.ENABLE_METRICS_PUSH_CONFIG, false);
        to.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        to.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 4000);
        to.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 4000);
        to.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 524_288);
        to.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 128 << 20);
        to.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), said.getOrDefault("--linger", "20"));
        to.put(StreamsConfig.producerPrefix(ProducerConfig.MAX_REQUEST_SIZE_CONFIG), MAX_REQUEST_BYTES);
        return to;
    }
}
