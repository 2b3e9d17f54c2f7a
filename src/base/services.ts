/**
 * Service names that a Linux host knows, embedded so that a policy means the
 * same on every host whatever its /etc/services says. Names and ports are
 * those of the IANA registry (RFC 6335) and the aliases that distributions
 * list; ssh, dns, http and https stand for their port with any transport, as
 * KubeArmor has them.
 */

import type { Transport } from "./model.ts";
import { nearest, quote } from "./suggest.ts";

/** A port, or null with what is wrong and what to write. */
export type ServiceResult =
	| { readonly ok: true; readonly port: number }
	| { readonly ok: false; readonly message: string; readonly hint: string };

/** name=PORT and the transports: t(cp), u(dp), s(ctp). */
const registry = `
acr-nema=104t afpovertcp=548t afs3-bos=7007u afs3-callback=7001u afs3-fileserver=7000u afs3-kaserver=7004u
afs3-prserver=7002u afs3-rmtsys=7009u afs3-update=7008u afs3-vlserver=7003u afs3-volser=7005u
amanda=10080t amandaidx=10082t amidxtape=10083t amqp=5672ts amqps=5671t asf-rmcp=623u asp=27374tu
auth=113t authentication=113t babel=6696u bacula-dir=9101t bacula-fd=9102t bacula-sd=9103t bbs=7000t
bfd-control=3784u bgp=179ts bgpd=2605t biff=512u binkp=24554t bootpc=68u bootps=67u canna=5680t
cfengine=5308t chargen=19tu cisco-sccp=2000t clc-build-daemon=8990t clearcase=371u cmd=514t
cmip-agent=164tu cmip-man=163tu coap=5683u coaps=5684u codaauth2=370tu codasrv=2432tu codasrv-se=2433tu
comsat=512u couchdb=5984t csync2=30865t cvspserver=2401t daap=3689t datametrics=1645tu daytime=13tu
db-lsp=17500t dcap=22125t dhcp-failover=647t dhcpv6-client=546u dhcpv6-server=547u diameter=3868ts
dicom=104t dict=2628t dircproxy=57000t discard=9tu distcc=3632t dns=53tus dns-over-tls=853t docker=2375t
docker-s=2376t domain=53tus domain-s=853tu echo=7tu epmap=135t epmd=4369t etcd-client=2379t
etcd-server=2380t exec=512t f5-globalsite=2792t f5-iquery=4353t fax=4557t fido=60179t finger=79t
font-service=7100t freeciv=5556t fsp=21u fspd=21u ftp=21t ftp-data=20t ftps=990t ftps-data=989t
gdomap=538tu gds-db=3050t gds_db=3050t geneve=6081u git=9418t gnunet=2086tu gnutella-rtr=6347tu
gnutella-svc=6346tu gopher=70t gpsd=2947t gris=2135t groupwise=1677t gsidcap=22128t gsiftp=2811t
gsigatekeeper=2119t gtp-control=2123u gtp-user=2152u hkp=11371t hprop=754t http=80tus http-alt=8080t
https=443tus https-alt=8443t hylafax=4559t iax=4569u icp=3130u icpv2=3130u ident=113t imap=143t imap2=143t
imaps=993t ingreslock=1524t ipfix=4739tus ipp=631t iprop=2121t ipsec-nat-t=4500u ipx=213u ircd=6667t
ircs-u=6697t isakmp=500u iscsi-target=3260t isisd=2608t isns=3205tu iso-tsap=102t iua=9900s
jabber-client=5222t jabber-server=5269t kamanda=10081t kdc=750tu kerberos=88tu kerberos-adm=749t
kerberos-iv=750tu kerberos-master=751tu kerberos-sec=88tu kerberos4=750tu kerberos5=88tu
kerberos_master=751u kermit=1649t klogin=543t kpasswd=464tu krb-prop=754t krb5=88tu krb5_prop=754t
krb_prop=754t krcmd=544t kshell=544t l2f=1701u l2tp=1701u ldap=389tu ldaps=636tu ldp=646tu llmnr=5355tu
loc-srv=135t login=513t lotusnote=1352t lotusnotes=1352t lrrd=4949t m2pa=3565s m3ua=2905s mail=25t
mailq=174t mdns=5353u memcache=11211tu microsoft-ds=445t moira-db=775t moira-update=777t moira-ureg=779u
moira_db=775t moira_update=777t moira_ureg=779u mon=2583tu mongodb=27017t mqtt=1883t ms-sql-m=1434u
ms-sql-s=1433t ms-wbt-server=3389t mtn=4691t munin=4949t mysql=3306t mysql-proxy=6446t nbd=10809t
ncube-lm=1521t netbios-dgm=138u netbios-ns=137u netbios-ssn=139t netconf-ssh=830t netstat=15t nfs=2049tu
ng-control=38412s nicname=43t nntp=119t nntps=563t nqs=607t nrpe=5666t nsca=5667t ntalk=518u ntp=123u
ntske=4460t null=9tu nut=3493tu old-radacct=1646tu old-radius=1645tu omniorb=8088t openvpn=1194tu
ospf6d=2606t ospfapi=2607t ospfd=2604t passwd-server=752u passwd_server=752u pawserv=345t pop-3=110t
pop3=110t pop3s=995t poppassd=106t portmapper=111tu postgres=5432t postgresql=5432t predict=1210u
printer=515t proofd=1093t ptp-event=319u ptp-general=320u puppet=8140t qmqp=628t qmtp=209t qotd=17t
quote=17t radacct=1813tu radius=1812tu radius-acct=1813tu radmin-port=4899t rdp=3389t readnews=119t
redis=6379t remctl=4373t rfb=5900t ripd=2602t ripngd=2603t rmiregistry=1099t rmtcfg=1236t rootd=1094t
route=520u routed=520u router=520u rpc2portmap=369tu rplay=5555u rptp=5556t rsync=873t rtcm-sc104=2101tu
rtsp=554tu s1-control=36412s sa-msg-port=1646tu saft=487t sane=6566t sane-port=6566t saned=6566t
sctp-tunneling=9899u secure-mqtt=8883t sflow=6343u sge-execd=6445t sge-qmaster=6444t sge_execd=6445t
sge_qmaster=6444t sgi-cad=17004t sgi-cmsd=17001u sgi-crsd=17002u sgi-gcd=17003u shell=514t sieve=4190t
silc=706t sink=9tu sip=5060tu sip-tls=5061tu skkserv=1178t smb=445t smtp=25t smtps=465t smux=199t
snmp=161tu snmp-trap=162tu snmptls=10161t snmptrap=162tu snntp=563t snpp=444t socks=1080t source=19tu
spamd=783t spooler=515t ssdp=1900u ssh=22tus ssmtp=465t stun=3478tu sua=14001s submission=587t
submissions=465t subversion=3690t sunrpc=111tu supfiledbg=1127t supfilesrv=871t suucp=4031t svn=3690t
svrloc=427tu syslog=514tu syslog-tls=6514t sysrqd=4094t systat=11t tacacs=49tu talk=517u tap=113t
tcpmux=1t telnet=23t telnets=992t tfido=60177t tftp=69u time=37tu timserver=37tu tinc=655tu tproxy=8081t
tsap=102t ttytst=19tu turn=3478tu untp=119t urd=465t users=11t uucp=540t uucpd=540t venus=2430tu
venus-se=2431tu vxlan=4789u wais=210t webcache=8080t webmin=10000t who=513u whod=513u whois=43t
wnn6=22273t wsman=5985t wsmans=5986t www=80t x11=6000t x11-0=6000t x11-1=6001t x11-2=6002t x11-3=6003t
x11-4=6004t x11-5=6005t x11-6=6006t x11-7=6007t x2-control=36422s xdmcp=177u xfs=7100t xinetd=9098t
xmms2=9667t xmpp-client=5222t xmpp-server=5269t xn-control=38422s xtel=1313t xtelw=1314t z3950=210t
zabbix-agent=10050t zabbix-trapper=10051t zebra=2601t zebrasrv=2600t zephyr-clt=2103u zephyr-hm=2104u
zephyr-srv=2102u zope=9673t zope-ftp=8021t zserv=346t
`;

/** Names that no registry has, with what is meant: for hints alone. */
const meantBy: Readonly<Record<string, string>> = {
	"kube-apiserver": "6443",
	kubernetes: "6443, the API server",
	kubelet: "10250",
	rpcbind: "sunrpc (111)",
	"rpc-bind": "sunrpc (111)",
	portmap: "sunrpc (111)",
	nfs4: "nfs (2049)",
	nfsv4: "nfs (2049)",
	mountd: "20048 where rpc.mountd is set to it; by itself it has no fixed port",
	wireguard: "51820, with protocol: UDP",
	ike: "isakmp (500), with protocol: UDP",
	dhcp: "bootps (67) for the server or bootpc (68) for the client, with protocol: UDP",
	vnc: "rfb (5900)",
	"vnc-server": "rfb (5900)",
	samba: "smb (445)",
	cifs: "smb (445)",
	elasticsearch: "9200",
	prometheus: "9090",
	"node-exporter": "9100",
	grafana: "3000",
	mssql: "ms-sql-s (1433)",
	sqlserver: "ms-sql-s (1433)",
	mariadb: "mysql (3306)",
	oracle: "1521",
	memcached: "memcache (11211)",
	mongo: "mongodb (27017)",
	rabbitmq: "amqp (5672)",
	kafka: "9092",
	zookeeper: "2181",
	etcd: "etcd-client (2379)",
	cockpit: "9090",
	proxmox: "8006",
	"smtp-submission": "submission (587)",
	winrm: "wsman (5985)",
};

const letters: Record<Transport, string> = { tcp: "t", udp: "u", sctp: "s" };

const ports = new Map<string, Partial<Record<Transport, number>>>();
for (const [, name, port, transports] of registry.matchAll(/(\S+)=(\d+)([tus]+)/g)) {
	if (name === undefined || port === undefined || transports === undefined) continue;
	const known = ports.get(name) ?? {};
	for (const transport of ["tcp", "udp", "sctp"] as const) {
		if (transports.includes(letters[transport])) known[transport] = Number(port);
	}
	ports.set(name, known);
}

/** Every known name, lower case. */
export function serviceNames(): readonly string[] {
	return [...ports.keys()];
}

/** The port of a service name, any case, for one transport. */
export function lookupService(name: string, transport: Transport): ServiceResult {
	const known = ports.get(name.toLowerCase());
	if (known === undefined) {
		const word = name.toLowerCase();
		const message = `${quote(name)} is not a known service name`;
		const meaning = Object.hasOwn(meantBy, word) ? meantBy[word] : undefined;
		if (meaning !== undefined) return { ok: false, message, hint: `write ${meaning}` };
		const meant = nearest(name, serviceNames());
		return {
			ok: false,
			message,
			hint: `${meant === null ? "" : `did you mean ${meant}? Or `}write the port as a number from 1 to 65535`,
		};
	}
	const port = known[transport];
	if (port !== undefined) return { ok: true, port };
	const [other, otherPort] = Object.entries(known)[0] ?? ["", 0];
	return {
		ok: false,
		message: `${name} is a service of ${other.toUpperCase()}, not of ${transport.toUpperCase()}`,
		hint: `write protocol: ${other.toUpperCase()}, or the number ${otherPort} if ${transport.toUpperCase()} is meant`,
	};
}
