/** A thread that may be held up by a USB device. There are as many as devices that do so, and some to spare. */

import { serve } from "../../../threads/rpc.ts";
import { usbJobs } from "./jobs.ts";

declare const self: Worker;

serve(self, usbJobs());
