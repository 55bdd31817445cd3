import { Channel, type ChannelOptions } from '../../gateway/uplink/channel.ts';
import { HospitalClient, over } from '../../gateway/uplink/hospital-client.ts';

/** A client of the node at that address, over one connection. */
export const clientAt = (url: string, options: Partial<ChannelOptions> = {}): HospitalClient => new HospitalClient(over(new Channel({ url, ...options })));
