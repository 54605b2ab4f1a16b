import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

import org.springframework.messaging.MessageDeliveryException;
import org.springframework.messaging.converter.CompositeMessageConverter;
import org.springframework.messaging.converter.ByteArrayMessageConverter;
import org.springframework.messaging.converter.StringMessageConverter;
import org.springframework.messaging.simp.stomp.StompFrameHandler;
import org.springframework.messaging.simp.stomp.StompHeaders;
import org.springframework.messaging.simp.stomp.StompSession;
import org.springframework.messaging.simp.stomp.StompSessionHandlerAdapter;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;
import org.springframework.web.socket.WebSocketHttpHeaders;
import org.springframework.web.socket.client.standard.StandardWebSocketClient;
import org.springframework.web.socket.messaging.WebSocketStompClient;

/** Spring's own STOMP client over WebSocket against a running broker: SpringClient ws://… */
public class SpringClient {
    static final long WAIT = 60;
    static WebSocketStompClient client;
    static String url;
    static int failed;

    interface Body { void run() throws Exception; }

    static void check(String name, Body body) {
        try {
            body.run();
            System.out.println("ok   spring: " + name);
        } catch (Throwable error) {
            failed++;
            System.out.println("FAIL spring: " + name + "\n     " + error);
        }
    }

    static void same(Object wanted, Object found) {
        if (!wanted.equals(found)) throw new AssertionError(found + " is not " + wanted);
    }

    static <T> T next(BlockingQueue<T> queue) throws Exception {
        T found = queue.poll(WAIT, TimeUnit.SECONDS);
        if (found == null) throw new AssertionError("nothing came");
        return found;
    }

    /** Errors and the end of a session, to be waited for. */
    static class Listener extends StompSessionHandlerAdapter {
        final BlockingQueue<StompHeaders> errors = new LinkedBlockingQueue<>();
        final BlockingQueue<Throwable> ends = new LinkedBlockingQueue<>();

        @Override public Type getPayloadType(StompHeaders headers) { return String.class; }

        @Override public void handleFrame(StompHeaders headers, Object payload) { errors.add(headers); }

        @Override public void handleTransportError(StompSession session, Throwable error) { ends.add(error); }
    }

    static StompSession connect(Listener listener) throws Exception {
        StompHeaders headers = new StompHeaders();
        headers.setLogin("ann");
        headers.setPasscode("any");
        return client.connectAsync(url, new WebSocketHttpHeaders(), headers, listener).get(WAIT, TimeUnit.SECONDS);
    }

    /** The server answers a DISCONNECT by closing, and the client library's timer may trip over a close that is this quick. */
    static void bye(StompSession session) {
        try {
            session.disconnect();
        } catch (MessageDeliveryException afterTheClose) {
            // It was delivered: the close is the answer to it.
        }
    }

    record Got<T>(StompHeaders headers, T body) {}

    static <T> BlockingQueue<Got<T>> subscribe(StompSession session, StompHeaders headers, Class<T> type) throws Exception {
        BlockingQueue<Got<T>> queue = new LinkedBlockingQueue<>();
        CompletableFuture<Void> ready = new CompletableFuture<>();
        headers.setReceipt("sub-" + System.nanoTime());
        session.subscribe(headers, new StompFrameHandler() {
            @Override public Type getPayloadType(StompHeaders ignored) { return type; }

            @Override public void handleFrame(StompHeaders got, Object payload) { queue.add(new Got<>(got, type.cast(payload))); }
        }).addReceiptTask(() -> ready.complete(null));
        ready.get(WAIT, TimeUnit.SECONDS);
        return queue;
    }

    static StompHeaders to(String destination) {
        StompHeaders headers = new StompHeaders();
        headers.setDestination(destination);
        return headers;
    }

    static CompletableFuture<StompHeaders> send(StompSession session, StompHeaders headers, Object body) {
        CompletableFuture<StompHeaders> receipt = new CompletableFuture<>();
        headers.setReceipt("send-" + System.nanoTime());
        StompSession.Receiptable sent = session.send(headers, body);
        sent.addReceiptTask(receipt::complete);
        sent.addReceiptLostTask(() -> receipt.completeExceptionally(new AssertionError("receipt lost")));
        return receipt;
    }

    public static void main(String[] arguments) throws Exception {
        url = arguments[0];
        ThreadPoolTaskScheduler scheduler = new ThreadPoolTaskScheduler();
        scheduler.setDaemon(true);
        scheduler.initialize();
        client = new WebSocketStompClient(new StandardWebSocketClient());
        client.setMessageConverter(new CompositeMessageConverter(List.of(new StringMessageConverter(), new ByteArrayMessageConverter())));
        client.setTaskScheduler(scheduler);
        client.setDefaultHeartbeat(new long[] {1000, 1000});

        check("a message with its receipt, text and headers", () -> {
            StompSession session = connect(new Listener());
            var queue = subscribe(session, to("/topic/spring"), String.class);
            StompHeaders headers = to("/topic/spring");
            headers.set("colour", "grün: a\nb");
            var receipt = send(session, headers, "grüße").get(WAIT, TimeUnit.SECONDS);
            same(true, receipt.getFirst("position") != null);
            var got = next(queue);
            same("grüße", got.body());
            same("grün: a\nb", got.headers().getFirst("colour"));
            bye(session);
        });
        check("a binary body comes back octet by octet", () -> {
            StompSession session = connect(new Listener());
            var queue = subscribe(session, to("/topic/binary"), byte[].class);
            byte[] body = new byte[2048];
            for (int at = 0; at < body.length; at++) body[at] = (byte) at;
            StompHeaders headers = to("/topic/binary");
            headers.setContentType(org.springframework.util.MimeTypeUtils.APPLICATION_OCTET_STREAM);
            send(session, headers, body).get(WAIT, TimeUnit.SECONDS);
            same(true, Arrays.equals(body, next(queue).body()));
            bye(session);
        });
        check("heart-beats keep an idle session open", () -> {
            Listener listener = new Listener();
            StompSession session = connect(listener);
            Thread.sleep(4_000);
            same(true, session.isConnected());
            same(0, listener.ends.size());
            send(session, to("/topic/alive"), "still here").get(WAIT, TimeUnit.SECONDS);
            bye(session);
        });
        check("a thousand messages in order", () -> {
            StompSession session = connect(new Listener());
            var queue = subscribe(session, to("/topic/many"), String.class);
            for (int n = 0; n < 1_000; n++) session.send("/topic/many", "m" + n);
            for (int n = 0; n < 1_000; n++) same("m" + n, next(queue).body());
            bye(session);
        });
        check("an unknown destination is an ERROR that says what to mend, then a close", () -> {
            Listener listener = new Listener();
            StompSession session = connect(listener);
            session.send("nowhere", "x");
            StompHeaders error = next(listener.errors);
            same("invalid", error.getFirst("code"));
            next(listener.ends);
            same(false, session.isConnected());
        });
        check("it connects again after that", () -> connect(new Listener()).disconnect());
        System.exit(failed == 0 ? 0 : 1);
    }
}
