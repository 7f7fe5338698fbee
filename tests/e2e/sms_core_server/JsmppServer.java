import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.jsmpp.bean.Alphabet;
import org.jsmpp.bean.BroadcastSm;
import org.jsmpp.bean.CancelBroadcastSm;
import org.jsmpp.bean.CancelSm;
import org.jsmpp.bean.DataSm;
import org.jsmpp.bean.ESMClass;
import org.jsmpp.bean.GeneralDataCoding;
import org.jsmpp.bean.NumberingPlanIndicator;
import org.jsmpp.bean.QueryBroadcastSm;
import org.jsmpp.bean.QuerySm;
import org.jsmpp.bean.RawDataCoding;
import org.jsmpp.bean.RegisteredDelivery;
import org.jsmpp.bean.ReplaceSm;
import org.jsmpp.bean.SubmitMulti;
import org.jsmpp.bean.SubmitSm;
import org.jsmpp.bean.TypeOfNumber;
import org.jsmpp.extra.ProcessRequestException;
import org.jsmpp.session.BindRequest;
import org.jsmpp.session.BroadcastSmResult;
import org.jsmpp.session.DataSmResult;
import org.jsmpp.session.QueryBroadcastSmResult;
import org.jsmpp.session.QuerySmResult;
import org.jsmpp.session.SMPPServerSession;
import org.jsmpp.session.SMPPServerSessionListener;
import org.jsmpp.session.ServerMessageReceiverListener;
import org.jsmpp.session.Session;
import org.jsmpp.session.SubmitMultiResult;
import org.jsmpp.session.SubmitSmResult;
import org.jsmpp.util.MessageId;

/**
 * A carrier's SMPP gateway made of jSMPP. Same arguments and lines as SmsCoreServer, for the protocol "smpp" alone;
 * but it does not put parts together: each is told as it comes, its content in Base64, header and all.
 */
public final class JsmppServer {
    static final String USER = "901234";
    static final String SECRET = "hunter2";
    static final AtomicInteger COUNT = new AtomicInteger();
    static final ExecutorService REPORTS = Executors.newSingleThreadExecutor();
    static volatile SMPPServerSession last;

    public static void main(String[] ports) throws Exception {
        SMPPServerSessionListener listener = new SMPPServerSessionListener(Integer.parseInt(ports[0]));
        Thread door = new Thread(() -> listen(listener));
        door.setDaemon(true);
        door.start();
        say("ready");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ");
            byte[] text = new String(Base64.getDecoder().decode(words[4]), StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_16BE);
            if (text.length <= 140) {
                deliver(words[2], words[3], text, new ESMClass());
            } else {
                int total = (text.length + 133) / 134;
                for (int number = 1; number <= total; number++) {
                    int begin = (number - 1) * 134;
                    int size = Math.min(134, text.length - begin);
                    byte[] part = new byte[6 + size];
                    System.arraycopy(new byte[] {5, 0, 3, 9, (byte) total, (byte) number}, 0, part, 0, 6);
                    System.arraycopy(text, begin, part, 6, size);
                    deliver(words[2], words[3], part, new ESMClass(0x40));
                }
            }
        }
        System.exit(0);
    }

    static synchronized void say(String... fields) {
        System.out.println(String.join("\t", fields));
        System.out.flush();
    }

    static void listen(SMPPServerSessionListener listener) {
        while (true) {
            try {
                SMPPServerSession session = listener.accept();
                session.setMessageReceiverListener(new Receiver());
                BindRequest bind = session.waitForBind(5000);
                if (USER.equals(bind.getSystemId()) && SECRET.equals(bind.getPassword())) {
                    bind.accept("jsmpp");
                    last = session;
                } else {
                    bind.reject(0x0E);
                }
            } catch (Exception error) {
                error.printStackTrace();
            }
        }
    }

    static void deliver(String mobile, String to, byte[] content, ESMClass kind) {
        try {
            last.deliverShortMessage("", TypeOfNumber.UNKNOWN, NumberingPlanIndicator.UNKNOWN, mobile,
                TypeOfNumber.UNKNOWN, NumberingPlanIndicator.UNKNOWN, to, kind, (byte) 0, (byte) 0,
                new RegisteredDelivery(0), new RawDataCoding((byte) 8), content);
            say("answered", "smpp");
        } catch (Exception error) {
            error.printStackTrace();
        }
    }

    static void report(SMPPServerSession session, SubmitSm part, String id) {
        String words = "id:" + id + " sub:001 dlvrd:001 submit date:2603020930 done date:2603020930 stat:DELIVRD err:000 text:";
        try {
            session.deliverShortMessage("", TypeOfNumber.UNKNOWN, NumberingPlanIndicator.UNKNOWN, part.getDestAddress(),
                TypeOfNumber.UNKNOWN, NumberingPlanIndicator.UNKNOWN, part.getSourceAddr(), new ESMClass(0x04), (byte) 0,
                (byte) 0, new RegisteredDelivery(0), new GeneralDataCoding(Alphabet.ALPHA_DEFAULT),
                words.getBytes(StandardCharsets.US_ASCII));
            say("answered", "smpp");
        } catch (Exception error) {
            error.printStackTrace();
        }
    }

    /** ESME_RINVCMDID. */
    static ProcessRequestException refusal() {
        return new ProcessRequestException("not here", 3);
    }

    static final class Receiver implements ServerMessageReceiverListener {
        @Override
        public SubmitSmResult onAcceptSubmitSm(SubmitSm part, SMPPServerSession session) throws ProcessRequestException {
            String id = String.format("%08X", COUNT.incrementAndGet());
            boolean hasHeader = (part.getEsmClass() & 0x40) != 0;
            byte[] content = part.getShortMessage();
            say("part", "smpp", part.getDestAddress(), part.getSourceAddr(), hasHeader ? "1" : "0",
                Base64.getEncoder().encodeToString(content));
            REPORTS.submit(() -> report(session, part, id));
            try {
                return new SubmitSmResult(new MessageId(id), null);
            } catch (org.jsmpp.PDUStringException error) {
                throw new ProcessRequestException(error.getMessage(), 8);
            }
        }

        @Override
        public SubmitMultiResult onAcceptSubmitMulti(SubmitMulti request, SMPPServerSession session) throws ProcessRequestException {
            throw refusal();
        }

        @Override
        public QuerySmResult onAcceptQuerySm(QuerySm request, SMPPServerSession session) throws ProcessRequestException {
            throw refusal();
        }

        @Override
        public void onAcceptReplaceSm(ReplaceSm request, SMPPServerSession session) throws ProcessRequestException {
            throw refusal();
        }

        @Override
        public void onAcceptCancelSm(CancelSm request, SMPPServerSession session) throws ProcessRequestException {
            throw refusal();
        }

        @Override
        public BroadcastSmResult onAcceptBroadcastSm(BroadcastSm request, SMPPServerSession session) throws ProcessRequestException {
            throw refusal();
        }

        @Override
        public void onAcceptCancelBroadcastSm(CancelBroadcastSm request, SMPPServerSession session) throws ProcessRequestException {
            throw refusal();
        }

        @Override
        public QueryBroadcastSmResult onAcceptQueryBroadcastSm(QueryBroadcastSm request, SMPPServerSession session) throws ProcessRequestException {
            throw refusal();
        }

        @Override
        public DataSmResult onAcceptDataSm(DataSm request, Session session) throws ProcessRequestException {
            throw refusal();
        }
    }
}
