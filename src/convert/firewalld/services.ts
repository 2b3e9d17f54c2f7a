/** Services by the names that firewalld has for them: what zones mostly name. A service's own file stands before these. */

/** Ports with t(cp), u(dp), s(ctp), or =protocol. */
const table = `
afp=548t amqp=5672t amqps=5671t apcupsd=3551t bacula-client=9102t bgp=179t ceph=6800-7300t ceph-mon=3300t,6789t
checkmk-agent=6556t cockpit=9090t collectd=25826u dhcp=67u dhcpv6=547u dns=53t,53u dns-over-tls=853t
docker-registry=5000t docker-swarm=2377t,7946t,7946u,4789u,=esp elasticsearch=9200t,9300t etcd-client=2379t
etcd-server=2380t freeipa-replication=7389t ftp=21t galera=3306t,4567t,4568t,4444t git=9418t grafana=3000t gre==gre
http=80t http3=443u https=443t ident=113t imap=143t imaps=993t ipp=631t,631u ipp-client=631u
ipsec==ah,=esp,500u,4500u,4500t irc=6667t ircs=6697t iscsi-target=3260t,3260u jenkins=8080t kadmin=749t
kerberos=88t,88u kibana=5601t kpasswd=464t,464u kprop=754t kube-apiserver=6443t kubelet=10250t
kube-nodeport-services=30000-32767t ldap=389t ldaps=636t libvirt=16509t libvirt-tls=16514t managesieve=4190t
memcache=11211t,11211u mongodb=27017t mosh=60000-61000u mountd=20048t,20048u mqtt=1883t mqtt-tls=8883t mssql=1433t
murmur=64738t,64738u mysql=3306t nebula=4242u netbios-ns=137u nfs=2049t nfs3=2049t,2049u nrpe=5666t ntp=123u nut=3493t
openvpn=1194u pmcd=44321t pop3=110t pop3s=995t postgresql=5432t prometheus=9090t prometheus-node-exporter=9100t
ptp=319u,320u puppetmaster=8140t radius=1812t,1812u,1813t,1813u rdp=3389t redis=6379t redis-sentinel=26379t
rpc-bind=111t,111u rsyncd=873t,873u rtsp=554t,554u salt-master=4505t,4506t samba=137u,138u,139t,445t
samba-client=137u,138u sip=5060t,5060u sips=5061t,5061u smtp=25t smtps=465t smtp-submission=587t snmp=161t,161u
snmptrap=162t,162u squid=3128t ssh=22t syncthing=22000t,22000u,21027u syslog=514u syslog-tls=6514t,6514u telnet=23t
tftp=69u tinc=655t,655u tor-socks=9050t vnc-server=5900-5903t wireguard=51820u wsman=5985t wsmans=5986t xdmcp=177t,177u
xmpp-bosh=5280t xmpp-client=5222t xmpp-server=5269t zabbix-agent=10050t zabbix-server=10051t zerotier=9993u
`;

export type ServicePart =
	| { readonly ports: string; readonly protocol: string }
	| { readonly ports: null; readonly protocol: string };

const transports: Readonly<Record<string, string>> = { t: "tcp", u: "udp", s: "sctp" };

const services = new Map(
	table
		.trim()
		.split(/\s+/u)
		.map((entry): [string, readonly ServicePart[]] => {
			const at = entry.indexOf("=");
			const parts = entry.slice(at + 1).split(",");
			return [entry.slice(0, at), parts.map(partOf)];
		}),
);

function partOf(text: string): ServicePart {
	if (text.startsWith("=")) return { ports: null, protocol: text.slice(1) };
	return { ports: text.slice(0, -1), protocol: transports[text.slice(-1)] ?? "" };
}

/** Null where the name is not one of these. */
export function knownService(name: string): readonly ServicePart[] | null {
	return services.get(name) ?? null;
}

/** Services with which connections come that a helper expects. */
export const helpedServices: ReadonlySet<string> = new Set([
	"ftp",
	"tftp",
	"sip",
	"netbios-ns",
	"samba",
	"samba-client",
]);
