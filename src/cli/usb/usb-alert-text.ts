/** What `portward alerts` prints of the USB device that an alert is about. */

/** Which USB device an alert is about: port, ids, name and serial number; "" for other alerts. */
export function usbDeviceText(data: Readonly<Record<string, string>>): string {
	const { Port, VendorID, ProductID, Manufacturer, Product, Serial, Configuration, Interface, Altsetting } =
		data;
	if (Port === undefined || VendorID === undefined || ProductID === undefined) return "";
	const words = [Manufacturer, Product].filter((text) => text !== undefined && text !== "");
	const serial = Serial === undefined ? [] : [`(${Serial})`];
	const place =
		Configuration === undefined
			? []
			: [`configuration ${Configuration}, interface ${Interface}, altsetting ${Altsetting}`];
	return `${["port", Port, `${VendorID}:${ProductID}`, ...words, ...serial, ...place].join(" ")} `;
}
