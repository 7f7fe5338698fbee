import com.zx.sms.BaseMessage;
import com.zx.sms.codec.cmpp.msg.CmppDeliverRequestMessage;
import com.zx.sms.codec.cmpp.msg.CmppReportRequestMessage;
import com.zx.sms.codec.cmpp.msg.CmppSubmitRequestMessage;
import com.zx.sms.codec.cmpp.msg.CmppSubmitResponseMessage;
import com.zx.sms.codec.sgip12.msg.SgipDeliverRequestMessage;
import com.zx.sms.codec.sgip12.msg.SgipReportRequestMessage;
import com.zx.sms.codec.sgip12.msg.SgipSubmitRequestMessage;
import com.zx.sms.codec.sgip12.msg.SgipSubmitResponseMessage;
import com.zx.sms.codec.smgp.msg.SMGPDeliverMessage;
import com.zx.sms.codec.smgp.msg.SMGPReportData;
import com.zx.sms.codec.smgp.msg.SMGPSubmitMessage;
import com.zx.sms.codec.smgp.msg.SMGPSubmitRespMessage;
import com.zx.sms.codec.smpp.Address;
import com.zx.sms.codec.smpp.msg.DeliverSm;
import com.zx.sms.codec.smpp.msg.DeliverSmReceipt;
import com.zx.sms.codec.smpp.msg.SubmitSm;
import com.zx.sms.codec.smpp.msg.SubmitSmResp;
import com.zx.sms.common.util.ChannelUtil;
import com.zx.sms.common.util.MsgId;
import com.zx.sms.connect.manager.EndpointEntity;
import com.zx.sms.connect.manager.EndpointEntity.ChannelType;
import com.zx.sms.connect.manager.EndpointEntity.SupportLongMessage;
import com.zx.sms.connect.manager.EndpointManager;
import com.zx.sms.connect.manager.cmpp.CMPPServerChildEndpointEntity;
import com.zx.sms.connect.manager.cmpp.CMPPServerEndpointEntity;
import com.zx.sms.connect.manager.sgip.SgipClientEndpointEntity;
import com.zx.sms.connect.manager.sgip.SgipServerChildEndpointEntity;
import com.zx.sms.connect.manager.sgip.SgipServerEndpointEntity;
import com.zx.sms.connect.manager.smgp.SMGPServerChildEndpointEntity;
import com.zx.sms.connect.manager.smgp.SMGPServerEndpointEntity;
import com.zx.sms.connect.manager.smpp.SMPPServerChildEndpointEntity;
import com.zx.sms.connect.manager.smpp.SMPPServerEndpointEntity;
import com.zx.sms.handler.api.AbstractBusinessHandler;
import com.zx.sms.handler.api.BusinessHandlerInterface;
import com.zx.sms.session.cmpp.SessionState;
import io.netty.channel.ChannelHandlerContext;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Carriers' gateways made of sms-core: takes every submission, puts its parts together, answers and reports each.
 *
 * Arguments: ports of cmpp2, cmpp3, sgip, smgp and smpp. On stdout, tab-separated:
 *   ready
 *   sms      protocol, mobile, source, parts, text in Base64   for each whole message
 *   answered protocol                                          for each deliver or report that the client took
 *   called                                                     the client let us in
 * On stdin, blank-separated:
 *   mo   protocol mobile to text-in-Base64    an inbound message, split if it is long
 *   call port name secret                     SGIP: connect to the client's port, as carriers do
 */
public final class SmsCoreServer {
    static final String USER = "901234";
    static final String SECRET = "hunter2";
    static final String STAMP = "2603020930";
    static final Map<String, EndpointEntity> ENTITIES = new HashMap<>();

    public static void main(String[] ports) throws Exception {
        cmpp("cmpp2", (short) 0x20, Integer.parseInt(ports[0]));
        cmpp("cmpp3", (short) 0x30, Integer.parseInt(ports[1]));
        sgip(Integer.parseInt(ports[2]));
        smgp(Integer.parseInt(ports[3]));
        smpp(Integer.parseInt(ports[4]));
        say("ready");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("mo")) {
                String text = new String(Base64.getDecoder().decode(words[4]), StandardCharsets.UTF_8);
                ChannelUtil.syncWriteLongMsgToEntity(ENTITIES.get(words[1]), inbound(words[1], words[2], words[3], text));
            } else if (words[0].equals("call")) {
                call(Integer.parseInt(words[1]), words[2], words[3]);
            }
        }
        System.exit(0);
    }

    static synchronized void say(String... fields) {
        System.out.println(String.join("\t", fields));
        System.out.flush();
    }

    static void cmpp(String name, short version, int port) throws Exception {
        CMPPServerEndpointEntity server = new CMPPServerEndpointEntity();
        CMPPServerChildEndpointEntity child = new CMPPServerChildEndpointEntity();
        child.setUserName(USER);
        child.setPassword(SECRET);
        child.setVersion(version);
        child.setChartset(StandardCharsets.UTF_8);
        open(name, server, child, port);
        server.addchild(child);
        EndpointManager.INS.openEndpoint(server);
    }

    static void sgip(int port) throws Exception {
        SgipServerEndpointEntity server = new SgipServerEndpointEntity();
        SgipServerChildEndpointEntity child = new SgipServerChildEndpointEntity();
        child.setLoginName(USER);
        child.setLoginPassowrd(SECRET);
        child.setNodeId(100210L);
        open("sgip", server, child, port);
        server.addchild(child);
        EndpointManager.INS.openEndpoint(server);
    }

    static void smgp(int port) throws Exception {
        SMGPServerEndpointEntity server = new SMGPServerEndpointEntity();
        SMGPServerChildEndpointEntity child = new SMGPServerChildEndpointEntity();
        child.setClientID(USER);
        child.setPassword(SECRET);
        child.setClientVersion((byte) 0x30);
        open("smgp", server, child, port);
        server.addchild(child);
        EndpointManager.INS.openEndpoint(server);
    }

    static void smpp(int port) throws Exception {
        SMPPServerEndpointEntity server = new SMPPServerEndpointEntity();
        SMPPServerChildEndpointEntity child = new SMPPServerChildEndpointEntity();
        child.setSystemId(USER);
        child.setPassword(SECRET);
        open("smpp", server, child, port);
        server.addchild(child);
        EndpointManager.INS.openEndpoint(server);
    }

    /** What all have in common. */
    static void open(String name, EndpointEntity server, EndpointEntity child, int port) {
        server.setId(name + "-server");
        server.setHost("127.0.0.1");
        server.setPort(port);
        server.setValid(true);
        server.setUseSSL(false);
        settle(name, child);
    }

    static void settle(String name, EndpointEntity entity) {
        entity.setId(name);
        entity.setValid(true);
        entity.setChannelType(ChannelType.DUPLEX);
        entity.setMaxChannels((short) 4);
        entity.setRetryWaitTimeSec((short) 30);
        entity.setMaxRetryCnt((short) 3);
        entity.setReSendFailMsg(false);
        entity.setIdleTimeSec((short) 30);
        entity.setSupportLongmsg(SupportLongMessage.BOTH);
        List<BusinessHandlerInterface> handlers = new ArrayList<>();
        handlers.add(new Taker(name));
        entity.setBusinessHandlerSet(handlers);
        ENTITIES.put(name, entity);
    }

    /** Connects to the client's port, login type 2; what is written to "call" goes there. */
    static void call(int port, String name, String secret) throws Exception {
        SgipClientEndpointEntity caller = new SgipClientEndpointEntity();
        caller.setHost("127.0.0.1");
        caller.setPort(port);
        caller.setLoginName(name);
        caller.setLoginPassowrd(secret);
        caller.setNodeId(100210L);
        caller.setUseSSL(false);
        settle("call", caller);
        caller.setChannelType(ChannelType.UP);
        caller.setMaxChannels((short) 1);
        EndpointManager.INS.openEndpoint(caller);
    }

    static BaseMessage inbound(String name, String mobile, String to, String text) {
        if (name.startsWith("cmpp")) {
            CmppDeliverRequestMessage message = new CmppDeliverRequestMessage();
            message.setMsgId(new MsgId());
            message.setSrcterminalId(mobile);
            message.setDestId(to);
            message.setMsgContent(text);
            return message;
        }
        if (name.equals("smgp")) {
            SMGPDeliverMessage message = new SMGPDeliverMessage();
            message.setSrcTermId(mobile);
            message.setDestTermId(to);
            message.setMsgContent(text);
            return message;
        }
        if (name.equals("smpp")) {
            DeliverSm message = new DeliverSm();
            message.setSourceAddress(new Address((byte) 0, (byte) 0, mobile));
            message.setDestAddress(new Address((byte) 0, (byte) 0, to));
            message.setSmsMsg(text);
            return message;
        }
        SgipDeliverRequestMessage message = new SgipDeliverRequestMessage();
        message.setUsernumber("86" + mobile);
        message.setSpnumber(to);
        message.setMsgContent(text);
        return message;
    }

    /** Sees whole messages: of a long one the parts but one are its fragments. */
    static final class Taker extends AbstractBusinessHandler {
        private final String protocol;

        Taker(String protocol) {
            this.protocol = protocol;
        }

        @Override
        public String name() {
            return "taker";
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) throws Exception {
            if (event == SessionState.Connect && protocol.equals("call")) {
                say("called");
            }
            context.fireUserEventTriggered(event);
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) throws Exception {
            if (message instanceof CmppSubmitRequestMessage) {
                CmppSubmitRequestMessage submit = (CmppSubmitRequestMessage) message;
                tell(submit.getDestterminalId()[0], submit.getSrcId(), submit.getFragments(), submit.getMsgContent());
                for (CmppSubmitRequestMessage part : all(submit, submit.getFragments())) {
                    cmpp(context, part);
                }
            } else if (message instanceof SgipSubmitRequestMessage) {
                SgipSubmitRequestMessage submit = (SgipSubmitRequestMessage) message;
                tell(submit.getUsernumber()[0], submit.getSpnumber(), submit.getFragments(), submit.getMsgContent());
                for (SgipSubmitRequestMessage part : all(submit, submit.getFragments())) {
                    sgip(context, part);
                }
            } else if (message instanceof SMGPSubmitMessage) {
                SMGPSubmitMessage submit = (SMGPSubmitMessage) message;
                tell(submit.getDestTermIdArray()[0], submit.getSrcTermId(), submit.getFragments(), submit.getMsgContent());
                for (SMGPSubmitMessage part : all(submit, submit.getFragments())) {
                    smgp(context, part);
                }
            } else if (message instanceof SubmitSm) {
                SubmitSm submit = (SubmitSm) message;
                String text = submit.getSmsMessage().toString();
                tell(submit.getDestAddress().getAddress(), submit.getSourceAddress().getAddress(), submit.getFragments(), text);
                for (SubmitSm part : all(submit, submit.getFragments())) {
                    smpp(context, part);
                }
            } else if (message instanceof BaseMessage && ((BaseMessage) message).isResponse()) {
                say("answered", protocol);
            }
        }

        private void tell(String mobile, String source, List<?> fragments, String text) {
            String parts = Integer.toString(1 + (fragments == null ? 0 : fragments.size()));
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            say("sms", protocol, mobile, source, parts, Base64.getEncoder().encodeToString(bytes));
        }

        private static <T> List<T> all(T message, List<T> fragments) {
            List<T> parts = new ArrayList<>();
            if (fragments != null) {
                parts.addAll(fragments);
            }
            parts.add(message);
            return parts;
        }

        private static void cmpp(ChannelHandlerContext context, CmppSubmitRequestMessage part) {
            CmppSubmitResponseMessage answer = new CmppSubmitResponseMessage(part.getHeader().getSequenceId());
            answer.setMsgId(new MsgId());
            answer.setResult(0);
            context.channel().writeAndFlush(answer);
            CmppReportRequestMessage report = new CmppReportRequestMessage();
            report.setMsgId(answer.getMsgId());
            report.setDestterminalId(part.getDestterminalId()[0]);
            report.setSubmitTime(STAMP);
            report.setDoneTime(STAMP);
            report.setStat("DELIVRD");
            CmppDeliverRequestMessage deliver = new CmppDeliverRequestMessage();
            deliver.setSrcterminalId(part.getDestterminalId()[0]);
            deliver.setDestId(part.getSrcId());
            deliver.setReportRequestMessage(report);
            context.channel().writeAndFlush(deliver);
        }

        private static void sgip(ChannelHandlerContext context, SgipSubmitRequestMessage part) {
            SgipSubmitResponseMessage answer = new SgipSubmitResponseMessage(part.getHeader());
            answer.setTimestamp(part.getTimestamp());
            answer.setResult((short) 0);
            context.channel().writeAndFlush(answer);
            SgipReportRequestMessage report = new SgipReportRequestMessage();
            report.setSequenceId(answer.getSequenceNumber());
            report.setUsernumber(part.getUsernumber()[0]);
            context.channel().writeAndFlush(report);
        }

        private static void smgp(ChannelHandlerContext context, SMGPSubmitMessage part) throws Exception {
            SMGPSubmitRespMessage answer = new SMGPSubmitRespMessage();
            answer.setSequenceNo(part.getSequenceNo());
            answer.setMsgId(new com.zx.sms.codec.smgp.msg.MsgId());
            answer.setStatus(0);
            context.channel().writeAndFlush(answer);
            SMGPReportData report = new SMGPReportData();
            report.setMsgId(answer.getMsgId());
            report.setSub("001");
            report.setDlvrd("001");
            report.setSubTime(STAMP);
            report.setDoneTime(STAMP);
            report.setStat("DELIVRD");
            report.setErr("000");
            SMGPDeliverMessage deliver = new SMGPDeliverMessage();
            deliver.setSrcTermId(part.getDestTermIdArray()[0]);
            deliver.setDestTermId(part.getSrcTermId());
            deliver.setReport(report);
            context.channel().writeAndFlush(deliver);
        }

        private static void smpp(ChannelHandlerContext context, SubmitSm part) {
            SubmitSmResp answer = part.createResponse();
            answer.setMessageId(Integer.toHexString(part.getSequenceNumber()) + "x" + System.nanoTime());
            context.channel().writeAndFlush(answer);
            DeliverSmReceipt report = new DeliverSmReceipt();
            report.setId(answer.getMessageId());
            report.setSourceAddress(part.getDestAddress());
            report.setDestAddress(part.getSourceAddress());
            report.setStat("DELIVRD");
            report.setSub("001");
            report.setDlvrd("001");
            report.setErr("000");
            report.setText("");
            report.setSubmit_date(STAMP);
            report.setDone_date(STAMP);
            context.channel().writeAndFlush(report);
        }
    }
}
