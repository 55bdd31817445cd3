/** Whether a message was made up to try out a flow (the contract's `test`): nothing may be done for real because of it. @param {import('../red.d.ts').FlowMessage} message */
export const isTest = ({ vitalgate }) => typeof vitalgate === 'object' && vitalgate !== null && 'test' in vitalgate && vitalgate.test === true;
